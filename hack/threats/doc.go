// Package threats holds docs/threat-model.md to the code: of whatever the page says that
// somebody can't do there is a test of that name.
package threats

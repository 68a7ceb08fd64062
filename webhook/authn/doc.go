// Package authn holds what the doors of the auth server share: the one interface
// they ask, how a gateway's configuration names an API, and what a verdict looks
// like to a client and to an upstream. The doors themselves, extauthz and
// forwardauth, only extract and encode.
package authn

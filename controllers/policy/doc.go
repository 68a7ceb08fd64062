// Package policy judges APIKeys by what their ProtectedAPI says of its keys: the
// scopes it declares, its keyLimits, and what its keyDefaults come to. Pure
// functions, which the controller uses before it issues a key, and admission before
// it lets one in.
package policy

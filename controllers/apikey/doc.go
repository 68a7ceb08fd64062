// Package apikey issues keys. First issue, repair and renaming are one state
// machine over status.keys and the Secret; nothing else is remembered, so the
// controller may be killed at any point and go on from what it finds.
//
// Files: decide.go and versions.go say what to do, purely, and policy.go what comes
// of what the key's API has to say about it (package policy); reconciler.go and
// apply.go read and do it, one write at a time; secret.go and template.go make the
// Secret.
//
// The order of writes: the digest is published in status as Pending, and so
// accepted by auth servers, before its raw key is written to the Secret; only
// then is it Current and the one before it Retiring. So nobody holds a key that
// isn't accepted, and a key that was lost on the way ends by its deadline.
package apikey

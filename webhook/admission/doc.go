// Package admission admits the kinds of the API group. It holds only what schema and
// CEL can't say: what an APIKey's ProtectedAPI has to say about it, what else is in its
// namespace, and whether whoever asks may grant what it opens.
//
// Files: admission.go registers, and serving.go bounds what that costs; apikey.go and
// protectedapi.go read, ask and answer; asking.go and access.go ask the API server for
// rights. All else is pure: widening.go says what an edit opens, grants.go which rights
// that takes, problems.go and warnings.go what is to be said of an APIKey.
//
// The controller checks all of it again, but for who asked: admission may be down, and
// what it reads may change right after.
package admission

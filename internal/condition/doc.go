// Package condition compiles and evaluates the CEL conditions of an API: what a
// request and its key must fulfil beyond what fields can say.
//
// It uses cel-go as Kubernetes does (types are checked, work is estimated before
// and limited while it runs) and is stricter where a request is waiting: only
// listed functions, literal patterns, an estimate that must hold for the largest
// request. Whatever can't be evaluated isn't met. That includes reading what isn't
// there: a header that wasn't sent, an attribute or project that the key lacks.
package condition

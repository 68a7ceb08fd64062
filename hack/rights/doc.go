// Package rights compares what RBAC allows the operator with what it has asked the
// API server for, as the audit log tells: a right that nobody uses is one too many.
package rights

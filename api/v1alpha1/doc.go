// Package v1alpha1 holds the kinds of the group apikey-operator.dev: APIKey and
// ProtectedAPI, with their validation markers, and the names that users and
// other programs may rely on: condition types, reasons, labels, annotations.
//
// +kubebuilder:object:generate=true
// +groupName=apikey-operator.dev
package v1alpha1

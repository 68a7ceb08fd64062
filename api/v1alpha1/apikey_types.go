package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// APIKey declares one API key. The controller generates the raw key into a
// Secret beside it and keeps only its SHA-256 digest in status; auth servers
// let requests through that carry the raw key.
//
// Deleting an APIKey revokes its key at once and then removes the Secret.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ak,categories=apikey-operator,path=apikeys,singular=apikey
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Propagated",type=string,JSONPath=`.status.conditions[?(@.type=="Propagated")].status`
// +kubebuilder:printcolumn:name="Hint",type=string,JSONPath=`.status.hint`
// +kubebuilder:printcolumn:name="API",type=string,JSONPath=`.spec.apiRef.name`
// +kubebuilder:printcolumn:name="Secret",type=string,JSONPath=`.status.secretName`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.spec.expiresAt`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Project",type=string,JSONPath=`.spec.project`,priority=1
// +kubebuilder:printcolumn:name="Scopes",type=string,JSONPath=`.spec.scopes`,priority=1
// +kubebuilder:printcolumn:name="Rotates",type=string,JSONPath=`.status.nextRotationAt`,priority=1
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,priority=1
type APIKey struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec declares the key. The empty spec is a working key of the default API.
	//
	// +required
	Spec APIKeySpec `json:"spec"`

	// status is what the controller has made of it. Auth servers enforce spec and
	// status.keys; everything else in status is for people.
	//
	// +optional
	// +default={"conditions": [{"type": "Ready", "status": "Unknown", "reason": "Pending", "message": "waiting for the controller", "lastTransitionTime": "1970-01-01T00:00:00Z"}]}
	Status APIKeyStatus `json:"status,omitempty,omitzero"`
}

// APIKeySpec declares an API key.
//
// +kubebuilder:validation:XValidation:rule="has(self.apiRef) == has(oldSelf.apiRef) && (!has(self.apiRef) || self.apiRef == oldSelf.apiRef)",message="apiRef is immutable, also from unset: create another APIKey",fieldPath=".apiRef"
// +kubebuilder:validation:XValidation:rule="has(self.environment) == has(oldSelf.environment) && (!has(self.environment) || self.environment == oldSelf.environment)",message="environment is immutable, also from unset: it is part of the raw key; create another APIKey",fieldPath=".environment"
// +kubebuilder:validation:XValidation:rule="has(self.existingKey) == has(oldSelf.existingKey) && (!has(self.existingKey) || self.existingKey == oldSelf.existingKey)",message="existingKey is immutable, also from unset: create another APIKey",fieldPath=".existingKey"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.state) || oldSelf.state != 'Revoked' || (has(self.state) && self.state == 'Revoked')",message="Revoked is for good: create another APIKey",fieldPath=".state"
type APIKeySpec struct {
	// displayName is the name that people give the key, up to 128 characters.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1F\x7F]+$`
	DisplayName string `json:"displayName,omitempty"`

	// description says what the key is for, up to 1024 characters.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// apiRef names the ProtectedAPI that the key opens; it opens no other. Unset:
	// the default API, which reads Bearer tokens and the header X-API-Key.
	// Immutable, also from unset.
	//
	// +optional
	APIRef *ProtectedAPIReference `json:"apiRef,omitempty"`

	// environment is one of the API's keyFormat.environments and part of the raw
	// key. Required where the API declares environments, refused where it does
	// not. Immutable, also from unset.
	//
	// +optional
	Environment EnvironmentName `json:"environment,omitempty"`

	// project is the project that the key belongs to, as the API names its
	// projects. It reaches the upstream as a header. Unset: every project.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][A-Za-z0-9._:/-]*$`
	Project string `json:"project,omitempty"`

	// attributes are further properties of the key that the API's bindings compare
	// requests with. At most 16; names of up to 63 characters (letters, digits,
	// ".", "_", "-"), values of up to 256.
	//
	// +optional
	// +mapType=atomic
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 63 && k.matches('^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$'))",message="names are up to 63 letters, digits, '.', '_' and '-', and start and end with a letter or digit"
	Attributes map[string]AttributeValue `json:"attributes,omitempty"`

	// owner says whose key it is. It reaches the upstream as headers.
	//
	// +optional
	Owner *Owner `json:"owner,omitempty"`

	// scopes are what the key may do. Scopes that the API doesn't know grant
	// nothing. Unset: see the API's emptyScopes.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Scopes []Scope `json:"scopes,omitempty"`

	// allowedIPs are the client addresses that may use the key. Where the client's
	// address can't be known, a key with this list is denied. Unset: any address.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	AllowedIPs []IPBlock `json:"allowedIPs,omitempty"`

	// rateLimit bounds the requests of this key, on each auth server. Unset: no
	// limit.
	//
	// +optional
	RateLimit *RateLimit `json:"rateLimit,omitempty"`

	// expiresAt is when the key ends (RFC 3339, in upper case, from 1970 on): from
	// then on auth servers deny it. A time in the past is accepted and means
	// Expired, so that restores and re-applies work. Unset: never.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1970-01-01T00:00:00Z')",message="must be a time as in RFC 3339, in upper case, from 1970 on"
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// state is Active, Suspended (denied until it is Active again; the Secret
	// stays) or Revoked (denied for good; the Secret is deleted). Unset: Active.
	//
	// +optional
	// +default="Active"
	State DesiredState `json:"state,omitempty"`

	// rotation says when the raw key is replaced by a new one, and how long the one
	// before is still accepted. Scopes, limits, expiry and identity carry over.
	// Suspended, revoked and expired keys don't rotate.
	//
	// +optional
	Rotation *Rotation `json:"rotation,omitempty"`

	// existingKey brings a key that exists already, instead of generating the
	// first one. Rotation replaces it by generated ones. Immutable, also from
	// unset.
	//
	// +optional
	ExistingKey *ExistingKey `json:"existingKey,omitempty"`

	// secret says how the Secret with the raw key looks.
	//
	// +optional
	Secret *SecretTemplate `json:"secret,omitempty"`
}

// ProtectedAPIReference names a ProtectedAPI.
type ProtectedAPIReference struct {
	// name is the ProtectedAPI's name.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name,omitempty"`

	// namespace is the ProtectedAPI's namespace, whose allowedNamespaces must let
	// this one in. Unset: the APIKey's own.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespace string `json:"namespace,omitempty"`
}

// Owner says whose key it is.
//
// +kubebuilder:validation:MinProperties=1
type Owner struct {
	// name is a person's or a team's name.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1F\x7F]+$`
	Name string `json:"name,omitempty"`

	// email is where they can be reached.
	//
	// +optional
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:Pattern=`^[^@\x00-\x20\x7F]+@[^@\x00-\x20\x7F]+$`
	Email string `json:"email,omitempty"`
}

// DesiredState is what is wanted of a key.
//
// +kubebuilder:validation:Enum=Active;Suspended;Revoked
type DesiredState string

const (
	// DesiredActive is a key in use.
	DesiredActive DesiredState = "Active"
	// DesiredSuspended is a key that is denied until it is Active again.
	DesiredSuspended DesiredState = "Suspended"
	// DesiredRevoked is a key that is denied for good.
	DesiredRevoked DesiredState = "Revoked"
)

// SecretTemplate says how the Secret with the raw key looks. Its type is always
// Opaque.
//
// +kubebuilder:validation:XValidation:rule="!has(self.data) || !((has(self.entry) ? self.entry : 'api-key') in self.data)",message="data must not name the entry that holds the raw key",fieldPath=".data"
type SecretTemplate struct {
	// name is the Secret's name. A new name copies the raw key to a Secret of that
	// name and then deletes the old one. A Secret of that name that isn't this
	// APIKey's is never touched. Unset: the APIKey's name.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name,omitempty"`

	// entry is the key in the Secret's data that holds the raw key. Unset:
	// api-key.
	//
	// +optional
	// +default="api-key"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[.]?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$`
	Entry string `json:"entry,omitempty"`

	// labels are put on the Secret. At most 16; the domains apikey-operator.dev,
	// kubernetes.io and k8s.io are refused.
	//
	// +optional
	// +mapType=atomic
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.matches('^([^/]+[.])?(apikey-operator[.]dev|kubernetes[.]io|k8s[.]io)/'))",message="labels in the domains apikey-operator.dev, kubernetes.io and k8s.io are reserved"
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.indexOf('/') <= 253 && k.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))",message="names must be qualified names: an optional DNS prefix of up to 253 characters and '/', then up to 63 letters, digits, '-', '_' and '.'"
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// annotations are put on the Secret. At most 16, values of up to 4096
	// characters; the domains apikey-operator.dev, kubernetes.io and k8s.io are
	// refused.
	//
	// +optional
	// +mapType=atomic
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.matches('^([^/]+[.])?(apikey-operator[.]dev|kubernetes[.]io|k8s[.]io)/'))",message="annotations in the domains apikey-operator.dev, kubernetes.io and k8s.io are reserved"
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.indexOf('/') <= 253 && k.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))",message="names must be qualified names: an optional DNS prefix of up to 253 characters and '/', then up to 63 letters, digits, '-', '_' and '.'"
	Annotations map[string]AnnotationValue `json:"annotations,omitempty"`

	// data holds further entries of the Secret as Go templates of up to 2048
	// characters each, at most 16. {{ .Key }} is the raw key; beside it there are
	// .Name, .Namespace, .API, .DisplayName, .Project, .Environment, .Hint,
	// .Scopes, .Attributes, .Owner.Name, .Owner.Email and .ExpiresAt (RFC 3339, or
	// empty). Functions: base64, json, lower, upper, trim, join, urlquery, index,
	// len, eq, ne, and, or, not. Each result is up to 16384 bytes.
	//
	// +optional
	// +mapType=atomic
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 253 && k.matches('^[.]?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$'))",message="names are up to 253 letters, digits, '-', '_' and '.', and neither '.' nor start with '..'"
	Data map[string]Template `json:"data,omitempty"`

	// deleteAfter removes the Secret that long after the raw key was put into it,
	// 1m to 8760h: the key is shown once, and works on. Each rotation shows the
	// next one for as long. With no raw key left, later changes to secret give the
	// condition SecretOutdated. Unset: the Secret stays.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('8760h')",message="must be from 1m to 8760h"
	DeleteAfter Duration `json:"deleteAfter,omitempty"`
}

// AttributeValue is the value of an attribute of a key.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=256
// +kubebuilder:validation:Pattern=`^[^\x00-\x1F\x7F]+$`
type AttributeValue string

// LabelValue is the value of a label of the Secret.
//
// +kubebuilder:validation:MinLength=0
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$`
type LabelValue string

// AnnotationValue is the value of an annotation of the Secret.
//
// +kubebuilder:validation:MinLength=0
// +kubebuilder:validation:MaxLength=4096
type AnnotationValue string

// Template is a Go template (text/template) that makes an entry of the Secret.
//
// +kubebuilder:validation:MinLength=0
// +kubebuilder:validation:MaxLength=2048
type Template string

// APIKeyList is a list of APIKeys.
//
// +kubebuilder:object:root=true
type APIKeyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []APIKey `json:"items"`
}

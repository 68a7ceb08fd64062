package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KeyCondition is a condition on requests with a key.
type KeyCondition struct {
	// expression is a CEL expression (cel.dev) that gives a bool. request has
	// method, path, host, headers and query (by name, headers in lower case; what is
	// sent more than once can't be read), clientIP and time; key has name,
	// namespace, project, environment, scopes, attributes, owner.name, owner.email
	// and hint. What can't be evaluated denies.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Expression string `json:"expression,omitempty"`

	// message is what a denied client is told. Unset: a general one.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1F\x7F]+$`
	Message string `json:"message,omitempty"`
}

// BasePath is "" or a path of literal segments, such as /v1.
//
// +kubebuilder:validation:MinLength=0
// +kubebuilder:validation:MaxLength=128
// +kubebuilder:validation:Pattern=`^(/[A-Za-z0-9._~-]+)*$`
// +kubebuilder:validation:XValidation:rule=`!self.matches(r'/\.{1,2}(/|$)')`,message="must have no dot segments: a request with one is refused"
type BasePath string

// Permission is Deny or Allow.
//
// +kubebuilder:validation:Enum=Deny;Allow
type Permission string

// Values of Permission.
const (
	Deny  Permission = "Deny"
	Allow Permission = "Allow"
)

// ScopeDeclaration is a scope that keys of an API may have.
type ScopeDeclaration struct {
	// name is the scope's name, without wildcards.
	//
	// +required
	// +kubebuilder:validation:XValidation:rule="!self.endsWith('*')",message="a declared scope can't be a wildcard"
	Name Scope `json:"name,omitempty"`

	// description says what the scope is for.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Description string `json:"description,omitempty"`

	// routes are those that the scope opens. Any one scope that lists the most
	// specific matching pattern with the method opens it.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Routes []Route `json:"routes,omitempty"`
}

// Route is a pattern of paths, and the methods it holds for.
type Route struct {
	// methods are HTTP methods; GET includes HEAD. Unset: all.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Methods []HTTPMethod `json:"methods,omitempty"`

	// path is a pattern: segments that are literal, "*" or "{name}" for any one
	// segment, and at its end "**" for any number of segments, none too.
	//
	// +required
	Path PathPattern `json:"path,omitempty"`
}

// HTTPMethod is an HTTP method (RFC 9110, section 9), in upper case.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:Pattern=`^[A-Z][A-Z_-]*$`
type HTTPMethod string

// PathPattern is a pattern of paths, such as /teams/{team}/**. Percent-encoded
// characters stand for themselves: /%C3%A9 is /é. A slash at the end means nothing.
// A variable may stand in it once.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=256
// +kubebuilder:validation:Pattern=`^/((([^/*{}?#;%\\\x00-\x20\x7F]|%[0-9A-Fa-f]{2})+|\*|\{[A-Za-z_][A-Za-z0-9_]*\})(/(([^/*{}?#;%\\\x00-\x20\x7F]|%[0-9A-Fa-f]{2})+|\*|\{[A-Za-z_][A-Za-z0-9_]*\}))*(/\*\*|/)?|\*\*)?$`
// +kubebuilder:validation:XValidation:rule=`!self.matches(r'/(\.|%2[Ee]){1,2}(/|$)')`,message="must have no dot segments: a request with one is refused"
// +kubebuilder:validation:XValidation:rule=`!self.matches(r'%([01].|2[Ff]|3[Bb]|5[Cc]|7[Ff])')`,message="must have no encoded slash, backslash, semicolon or control character: a request with one is refused"
// +kubebuilder:validation:XValidation:rule="self.split('/').size() <= (self.endsWith('/') ? 66 : 65)",message="must have at most 64 segments"
type PathPattern string

// Hostname is a DNS name in lower case without a trailing dot, or "*." and such
// a name for every host below it, however deep.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:Pattern=`^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
type Hostname string

// AllowedNamespaces selects namespaces, as in Gateway API.
//
// +kubebuilder:validation:XValidation:rule="(self.from == 'Selector') == has(self.selector)",message="selector is required with from Selector and refused otherwise",fieldPath=".selector"
type AllowedNamespaces struct {
	// from is Same (the API's own namespace), All, or Selector.
	//
	// +required
	From FromNamespaces `json:"from,omitempty"`

	// selector selects namespaces by their labels, with from Selector.
	//
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// FromNamespaces says which namespaces are selected.
//
// +kubebuilder:validation:Enum=Same;All;Selector
type FromNamespaces string

// Values of FromNamespaces.
const (
	NamespacesSame     FromNamespaces = "Same"
	NamespacesAll      FromNamespaces = "All"
	NamespacesSelector FromNamespaces = "Selector"
)

// EmptyScopes says what a key without scopes may do.
//
// +kubebuilder:validation:Enum=Deny;FullAccess
type EmptyScopes string

// Values of EmptyScopes.
const (
	EmptyScopesDeny       EmptyScopes = "Deny"
	EmptyScopesFullAccess EmptyScopes = "FullAccess"
)

// Binding compares a value of the request with a value of the key.
type Binding struct {
	// from is the request's value.
	//
	// +required
	From BindingSource `json:"from,omitempty,omitzero"`

	// equals is the key's value: project, environment, owner.name, owner.email, or
	// attributes. and the name of an attribute.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=74
	// +kubebuilder:validation:Pattern=`^(project|environment|owner\.name|owner\.email|attributes\.[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)$`
	Equals string `json:"equals,omitempty"`

	// compare is Exact or CaseInsensitive (Unicode simple folding). Unset: Exact.
	//
	// +optional
	// +default="Exact"
	Compare Comparison `json:"compare,omitempty"`

	// ifKeyHas makes the binding hold only for keys that have the value: one
	// without it is let through. Unset: a key without it is denied.
	//
	// +optional
	IfKeyHas *bool `json:"ifKeyHas,omitempty"`
}

// BindingSource is a value of the request: a header, or a variable of the path.
//
// +kubebuilder:validation:XValidation:rule="has(self.header) != has(self.pathVariable)",message="exactly one of header and pathVariable must be set"
// +kubebuilder:validation:XValidation:rule="has(self.path) == has(self.pathVariable)",message="path is required with pathVariable and refused otherwise",fieldPath=".path"
// +kubebuilder:validation:XValidation:rule="!has(self.path) || !has(self.pathVariable) || self.path.contains('/{' + self.pathVariable + '}')",message="path must have the variable that pathVariable names",fieldPath=".pathVariable"
// +kubebuilder:validation:MinProperties=1
type BindingSource struct {
	// header is a header that must be sent exactly once; white space around its
	// value is trimmed.
	//
	// +optional
	Header HeaderName `json:"header,omitempty"`

	// pathVariable is a variable of path. The binding holds for requests whose path
	// matches.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_]*$`
	PathVariable string `json:"pathVariable,omitempty"`

	// path is the pattern with the variable, under each of basePaths.
	//
	// +optional
	Path PathPattern `json:"path,omitempty"`
}

// Comparison says how two values are compared.
//
// +kubebuilder:validation:Enum=Exact;CaseInsensitive
type Comparison string

// Values of Comparison.
const (
	CompareExact           Comparison = "Exact"
	CompareCaseInsensitive Comparison = "CaseInsensitive"
)

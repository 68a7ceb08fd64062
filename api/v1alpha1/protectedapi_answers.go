package v1alpha1

// Audit says what the audit log holds.
//
// +kubebuilder:validation:MinProperties=1
type Audit struct {
	// log is All, Denied or None: the decisions of which a line is written, where
	// the auth server has an audit log (--audit-log). Unset: All.
	//
	// +optional
	Log AuditLevel `json:"log,omitempty"`

	// sourceHeader is a header in which a client names the source of a request. It
	// is sanitised and cut to 128 characters. Headers that may hold a credential are
	// refused. Unset: X-Audit-Source.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="!self.lowerAscii().matches('^(authorization|proxy-authorization|cookie)$')",message="Authorization, Proxy-Authorization and Cookie hold credentials, which must not be logged"
	SourceHeader HeaderName `json:"sourceHeader,omitempty"`

	// defaultSource is the source of requests without that header. Unset: API.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1F\x7F]+$`
	DefaultSource string `json:"defaultSource,omitempty"`
}

// AuditLevel says which decisions are logged.
//
// +kubebuilder:validation:Enum=All;Denied;None
type AuditLevel string

// Values of AuditLevel.
const (
	AuditAll    AuditLevel = "All"
	AuditDenied AuditLevel = "Denied"
	AuditNone   AuditLevel = "None"
)

// Denial is the response to denied requests.
type Denial struct {
	// code is the error code that it is for, as in the default body's error, or
	// default.
	//
	// +required
	Code DenialCode `json:"code,omitempty"`

	// status is the HTTP status that the client sees, 200 to 599. Unset: as without
	// this denial. To proxies that take any 2xx as permission another status is
	// told; see the documentation for which of them can show a client a 2xx.
	//
	// +optional
	// +kubebuilder:validation:Minimum=200
	// +kubebuilder:validation:Maximum=599
	Status int32 `json:"status,omitempty"`

	// headers are set on the response, by name, over those it has.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(h, self.filter(g, g.name.lowerAscii() == h.name.lowerAscii()).size() == 1)",message="each header may be listed once"
	Headers []DenialHeader `json:"headers,omitempty"`

	// body is a Go template of up to 4096 characters. There are .Error and .Message
	// (as in the default body), .Status, .Scope (that was missing) and .RetryAfter
	// (seconds), and the functions json, urlquery, eq, ne, and, or, not.
	// Unset: the default body.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Body string `json:"body,omitempty"`
}

// DenialCode is an error code of denials, or default.
//
// +kubebuilder:validation:Enum=default;unauthorized;ambiguous_credential;key_suspended;ip_not_allowed;project_mismatch;binding_mismatch;insufficient_scope;route_not_allowed;condition_not_met;rate_limit_exceeded;too_many_wrong_keys;https_required;invalid_path;invalid_host;unavailable
type DenialCode string

// DenialDefault is the code of the denial for all codes without one of their own.
const DenialDefault DenialCode = "default"

// DenialHeader is a header of a denial.
type DenialHeader struct {
	// name is the header's name, in any case.
	//
	// +required
	// +kubebuilder:validation:XValidation:rule="!self.lowerAscii().matches('^(connection|proxy-connection|keep-alive|content-length|transfer-encoding|te|upgrade|trailer|x-apikey-.*)$')",message="headers of the connection, and this project's own, can't be set"
	Name HeaderName `json:"name,omitempty"`

	// value is the header's value.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^[\x21-\x7E]([\x20-\x7E]*[\x21-\x7E])?$`
	Value string `json:"value,omitempty"`
}

// Upstream says what the upstream gets of an allowed request.
//
// +kubebuilder:validation:MinProperties=1
type Upstream struct {
	// headers are the identity headers that it gets: Name is X-Apikey-Name, and so
	// on. Unset: all. A client's own are removed in any case.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Headers []IdentityHeader `json:"headers,omitempty"`

	// credential is Remove, which takes out the header that held the key, or Keep.
	// Unset: Remove.
	//
	// +optional
	Credential CredentialHandling `json:"credential,omitempty"`
}

// IdentityHeader is a header that tells the upstream whose request it is.
//
// +kubebuilder:validation:Enum=Name;Namespace;Project;Scopes;Environment;Hint;Owner;OwnerEmail
type IdentityHeader string

// CredentialHandling says what becomes of the header that held the key.
//
// +kubebuilder:validation:Enum=Remove;Keep
type CredentialHandling string

// Values of CredentialHandling.
const (
	CredentialRemove CredentialHandling = "Remove"
	CredentialKeep   CredentialHandling = "Keep"
)

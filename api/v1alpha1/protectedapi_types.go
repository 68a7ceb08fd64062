package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ProtectedAPI says what keys are for: which hosts, where credentials are looked
// for, and the shape of raw keys.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=papi,categories=apikey-operator,path=protectedapis,singular=protectedapi
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Hosts",type=string,JSONPath=`.spec.hosts`
// +kubebuilder:printcolumn:name="Keys",type=integer,JSONPath=`.status.attachedKeys`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Prefix",type=string,JSONPath=`.spec.keyFormat.prefix`,priority=1
// +kubebuilder:printcolumn:name="HostsAccepted",type=string,JSONPath=`.status.conditions[?(@.type=="HostsAccepted")].status`,priority=1
type ProtectedAPI struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec declares the API.
	//
	// +required
	Spec ProtectedAPISpec `json:"spec"`

	// status is what the controller found.
	//
	// +optional
	Status ProtectedAPIStatus `json:"status,omitempty"`
}

// ProtectedAPISpec declares an API that keys open.
type ProtectedAPISpec struct {
	// hosts are the hosts that the API answers for where the gateway doesn't name
	// the API itself: exact names, or "*." and a name for every host below it. The
	// operator grants hosts to namespaces (--host-claims); a host that isn't
	// granted has no effect and is named in the condition HostsAccepted.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Hosts []Hostname `json:"hosts,omitempty"`

	// allowedNamespaces says whose APIKeys may refer to this API. Auth servers
	// enforce it per request. Unset: those of its own namespace.
	//
	// +optional
	AllowedNamespaces *AllowedNamespaces `json:"allowedNamespaces,omitempty"`

	// credentials are the places where a request's key is looked for. Places not
	// listed here are ignored; a request with more than one credential is denied.
	// Unset: Bearer, and the header X-API-Key.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="self.filter(c, c.type == 'Bearer').size() <= 1 && self.filter(c, c.type == 'Basic').size() <= 1",message="Bearer and Basic may each be listed once"
	// +kubebuilder:validation:XValidation:rule="self.all(c, !has(c.header) || self.filter(d, has(d.header) && d.header.name.lowerAscii() == c.header.name.lowerAscii()).size() == 1)",message="each header may be listed once"
	// +kubebuilder:validation:XValidation:rule="self.all(c, !has(c.query) || self.filter(d, has(d.query) && d.query.name == c.query.name).size() == 1)",message="each query parameter may be listed once"
	// +kubebuilder:validation:XValidation:rule="self.all(c, !has(c.cookie) || self.filter(d, has(d.cookie) && d.cookie.name == c.cookie.name).size() == 1)",message="each cookie may be listed once"
	Credentials []Credential `json:"credentials,omitempty"`

	// keyFormat is the shape of raw keys. A change touches only keys issued after
	// it. Unset: "ak_" and 32 characters of Base62.
	//
	// +optional
	KeyFormat *KeyFormat `json:"keyFormat,omitempty"`

	// clientIP says how the client's address is found.
	//
	// +optional
	ClientIP *ClientIP `json:"clientIP,omitempty"`

	// emptyScopes says what a key without scopes may do where the gateway requires
	// some: FullAccess lets it through, Deny doesn't. Unset: FullAccess.
	//
	// +optional
	EmptyScopes EmptyScopes `json:"emptyScopes,omitempty"`

	// bindings compare values of the request with values of the key: a request
	// whose value differs, or is missing, is denied, and so is a key that lacks
	// the value.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Bindings []Binding `json:"bindings,omitempty"`
}

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

// Credential is one place where a request's key is looked for.
//
// +union
// +kubebuilder:validation:XValidation:rule="(self.type == 'Header') == has(self.header)",message="header is required with type Header and refused otherwise",fieldPath=".header"
// +kubebuilder:validation:XValidation:rule="(self.type == 'Query') == has(self.query)",message="query is required with type Query and refused otherwise",fieldPath=".query"
// +kubebuilder:validation:XValidation:rule="(self.type == 'Cookie') == has(self.cookie)",message="cookie is required with type Cookie and refused otherwise",fieldPath=".cookie"
type Credential struct {
	// type is the kind of place: Bearer ("Authorization: Bearer <key>", RFC 6750),
	// Basic ("Authorization: Basic" with the key itself, or with the key as user
	// name and no password, RFC 7617), Header, Query or Cookie.
	//
	// +required
	// +unionDiscriminator
	Type CredentialType `json:"type,omitempty"`

	// header is the header that holds the key, with type Header.
	//
	// +optional
	Header *HeaderCredential `json:"header,omitempty"`

	// query is the query parameter that holds the key, with type Query. The
	// upstream sees it too: no proxy can take it out.
	//
	// +optional
	Query *QueryCredential `json:"query,omitempty"`

	// cookie is the cookie that holds the key, with type Cookie. The upstream sees
	// it too: no proxy can take it out.
	//
	// +optional
	Cookie *CookieCredential `json:"cookie,omitempty"`
}

// CredentialType is the kind of place where a key is looked for.
//
// +kubebuilder:validation:Enum=Bearer;Basic;Header;Query;Cookie
type CredentialType string

// Values of CredentialType.
const (
	CredentialBearer CredentialType = "Bearer"
	CredentialBasic  CredentialType = "Basic"
	CredentialHeader CredentialType = "Header"
	CredentialQuery  CredentialType = "Query"
	CredentialCookie CredentialType = "Cookie"
)

// HeaderCredential is a header whose whole value is the key.
type HeaderCredential struct {
	// name is the header's name, in any case. Authorization, Cookie, Host and
	// headers that proxies write are refused.
	//
	// +required
	// +kubebuilder:validation:XValidation:rule="!self.lowerAscii().matches('^(authorization|proxy-authorization|cookie|host|connection|proxy-connection|keep-alive|content-length|transfer-encoding|te|trailer|upgrade|forwarded|x-forwarded-.*|x-real-ip|x-original-.*|x-apikey-.*|x-envoy-.*)$')",message="Authorization, Cookie, Host, hop-by-hop headers and headers that proxies or this project write can't hold a key: use type Bearer, Basic or Cookie, or another header"
	Name HeaderName `json:"name,omitempty"`
}

// QueryCredential is a query parameter whose value is the key.
type QueryCredential struct {
	// name is the parameter's name, in this case.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9._~-]+$`
	Name string `json:"name,omitempty"`
}

// CookieCredential is a cookie whose value is the key (RFC 6265).
type CookieCredential struct {
	// name is the cookie's name, in this case.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9!#$%&'*+.^_|~-]+$`
	Name string `json:"name,omitempty"`
}

// KeyFormat is the shape of raw keys: prefix, separator, environment, separator,
// random characters, checksum. Parts that are unset are left out together with
// their separator. The random characters must hold at least 128 bits.
//
// +kubebuilder:validation:XValidation:rule="self.length >= (self.encoding == 'Hex' ? 32 : (self.encoding == 'Base36' ? 25 : 22))",message="a key must hold at least 128 bits: at least 32 characters of Hex, 25 of Base36, 22 of Base62 or Base64",fieldPath=".length"
type KeyFormat struct {
	// prefix starts every raw key, such as bk. Unset: none.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`
	Prefix string `json:"prefix,omitempty"`

	// separator stands between prefix, environment and random characters: "_",
	// "-", "." or "" (none). Unset: "_".
	//
	// +optional
	// +default="_"
	Separator *Separator `json:"separator,omitempty"`

	// environments are the environments that a key of this API may name; with any
	// here, every APIKey must name one. Unset: keys have no environment.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Environments []EnvironmentName `json:"environments,omitempty"`

	// encoding is the alphabet of the random characters: Hex (0-9a-f), Base36
	// (0-9a-z), Base62 (0-9A-Za-z) or Base64 (RFC 4648, section 4). Unset: Base62.
	//
	// +optional
	// +default="Base62"
	Encoding Encoding `json:"encoding,omitempty"`

	// length is the number of random characters, 22 to 256. Unset: 32.
	//
	// +optional
	// +default=32
	// +kubebuilder:validation:Minimum=22
	// +kubebuilder:validation:Maximum=256
	Length int32 `json:"length,omitempty"`

	// checksum CRC32 appends the CRC-32 (IEEE 802.3) of all characters before it,
	// in the same alphabet: 8 characters of Hex, 7 of Base36, 6 of Base62 or
	// Base64. Unset: None.
	//
	// +optional
	// +default="None"
	Checksum Checksum `json:"checksum,omitempty"`
}

// Separator stands between the parts of a raw key.
//
// +kubebuilder:validation:Enum="";"_";"-";"."
type Separator string

// Encoding is an alphabet of random characters.
//
// +kubebuilder:validation:Enum=Hex;Base36;Base62;Base64
type Encoding string

// Values of Encoding.
const (
	EncodingHex    Encoding = "Hex"
	EncodingBase36 Encoding = "Base36"
	EncodingBase62 Encoding = "Base62"
	EncodingBase64 Encoding = "Base64"
)

// Checksum is what ends a raw key.
//
// +kubebuilder:validation:Enum=None;CRC32
type Checksum string

// Values of Checksum.
const (
	ChecksumNone  Checksum = "None"
	ChecksumCRC32 Checksum = "CRC32"
)

// ClientIP says how the client's address is found.
type ClientIP struct {
	// trustedProxies narrows the operator's own list (--trusted-proxies): only
	// proxies in both are believed when they name the client in X-Forwarded-For.
	// Addresses that the operator doesn't trust have no effect here.
	//
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	TrustedProxies []IPBlock `json:"trustedProxies,omitempty"`
}

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
}

// BindingSource is a value of the request.
type BindingSource struct {
	// header is a header that must be sent exactly once; white space around its
	// value is trimmed.
	//
	// +required
	Header HeaderName `json:"header,omitempty"`
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

// ProtectedAPIStatus is what the controller found.
type ProtectedAPIStatus struct {
	// observedGeneration is the generation of spec that this status was made from.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// attachedKeys is how many APIKeys refer to this API and may. It is written at
	// most every 30 seconds.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	AttachedKeys *int32 `json:"attachedKeys,omitempty"`

	// conditions hold Ready, HostsAccepted and CredentialsRemoved.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	// +patchStrategy=merge
	// +patchMergeKey=type
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type"`
}

// ProtectedAPIList is a list of ProtectedAPIs.
//
// +kubebuilder:object:root=true
type ProtectedAPIList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ProtectedAPI `json:"items"`
}

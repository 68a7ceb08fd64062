package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ProtectedAPI says what keys are for: which hosts, where credentials are looked
// for, the shape of raw keys, the scopes and their routes, and what a denial looks
// like.
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
//
// +kubebuilder:validation:XValidation:rule="has(self.credentials) ? self.credentials.all(c, !has(c.header) || c.header.name.lowerAscii() != (has(self.audit) && has(self.audit.sourceHeader) ? self.audit.sourceHeader.lowerAscii() : 'x-audit-source')) : !has(self.audit) || !has(self.audit.sourceHeader) || self.audit.sourceHeader.lowerAscii() != 'x-api-key'",message="the header that names the source of a request can't be one that holds a key: it is logged",fieldPath=".audit.sourceHeader"
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

	// basePaths are what the API's paths may start with: the patterns of routes and
	// bindings hold under each. "" is no prefix. Unset: [""].
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	BasePaths []BasePath `json:"basePaths,omitempty"`

	// plainHTTP says what becomes of requests that didn't come over TLS, as the
	// gateway tells: Deny answers 403 https_required. Unset: Allow.
	//
	// +optional
	PlainHTTP Permission `json:"plainHTTP,omitempty"`

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

	// emptyScopes says what a key without scopes may do where some are required:
	// FullAccess lets it through, Deny doesn't. Unset: Deny if scopes are declared
	// here, else FullAccess.
	//
	// +optional
	EmptyScopes EmptyScopes `json:"emptyScopes,omitempty"`

	// scopes are what keys of this API may be allowed to do, and the routes that
	// each opens. Where any are declared, a key's other scopes grant nothing.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=128
	Scopes []ScopeDeclaration `json:"scopes,omitempty"`

	// publicRoutes need no key. Of two patterns that match a path the more specific
	// decides, whichever list it is in; on a tie a scope's beats a public one.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	PublicRoutes []Route `json:"publicRoutes,omitempty"`

	// preflight says what becomes of CORS preflight requests (OPTIONS with Origin
	// and Access-Control-Request-Method), which carry no key: Allow passes them to
	// the upstream. Unset: Deny.
	//
	// +optional
	Preflight Permission `json:"preflight,omitempty"`

	// unmatchedRoutes says what a valid key may do where no route matches: Deny
	// answers 403 route_not_allowed. Unset: Deny if any scope has routes, else
	// Allow.
	//
	// +optional
	UnmatchedRoutes Permission `json:"unmatchedRoutes,omitempty"`

	// bindings compare values of the request with values of the key: a request
	// whose value differs, or is missing, is denied, and so is a key that lacks
	// the value.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Bindings []Binding `json:"bindings,omitempty"`

	// denials are the responses to denied requests, by their error code; the one
	// for default is for all codes without one of their own. Unset: JSON with error
	// and message.
	//
	// +optional
	// +listType=map
	// +listMapKey=code
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Denials []Denial `json:"denials,omitempty"`

	// upstream says what the upstream gets of an allowed request.
	//
	// +optional
	Upstream *Upstream `json:"upstream,omitempty"`

	// conditions are CEL expressions over request and key that must all be true;
	// one that is false, or can't be evaluated, denies with 403 condition_not_met.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Conditions []KeyCondition `json:"conditions,omitempty"`

	// keyDefaults are for what an APIKey of this API leaves unset. They are resolved
	// once, when its key is first issued, into status.effective: a change here
	// touches only keys issued after it.
	//
	// +optional
	KeyDefaults *KeyDefaults `json:"keyDefaults,omitempty"`

	// keyLimits are what APIKeys of this API must keep to. One that doesn't isn't
	// issued; one that was issued before says so in its condition WithinLimits, and
	// works on.
	//
	// +optional
	KeyLimits *KeyLimits `json:"keyLimits,omitempty"`

	// audit says what the auth servers' audit log holds of this API's requests.
	//
	// +optional
	Audit *Audit `json:"audit,omitempty"`
}

// KeyCondition is a condition on requests with a key.
type KeyCondition struct {
	// expression is a CEL expression (cel.dev) that gives a bool. request has
	// method, path, host, headers (a map of the first values, by name in lower
	// case), query, clientIP and time; key has name, namespace, project,
	// environment, scopes, attributes, owner.name, owner.email and hint.
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

// KeyDefaults are for what an APIKey leaves unset.
//
// +kubebuilder:validation:MinProperties=1
type KeyDefaults struct {
	// rateLimit is for keys without one.
	//
	// +optional
	RateLimit *RateLimit `json:"rateLimit,omitempty"`

	// ttl is how long keys without expiresAt live from their first issue, 1m to
	// 87600h.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('87600h')",message="must be from 1m to 87600h"
	TTL Duration `json:"ttl,omitempty"`
}

// KeyLimits are what APIKeys must keep to.
//
// +kubebuilder:validation:MinProperties=1
type KeyLimits struct {
	// maxTTL is how long after its creation a key may expire, 1m to 87600h. It
	// makes an end of life required.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('87600h')",message="must be from 1m to 87600h"
	MaxTTL Duration `json:"maxTTL,omitempty"`

	// expiry says whether keys must have an end of life, their own or the default
	// one. Unset: Optional.
	//
	// +optional
	Expiry Requirement `json:"expiry,omitempty"`

	// allowedIPs says whether keys must have a list of addresses. Unset: Optional.
	//
	// +optional
	AllowedIPs Requirement `json:"allowedIPs,omitempty"`

	// scopes says whether keys must name their scopes. Unset: Optional.
	//
	// +optional
	Scopes Requirement `json:"scopes,omitempty"`

	// maxRateLimit is the highest rate that a key's rateLimit may have, as requests
	// per time. It makes a rateLimit required, the key's own or the default one.
	//
	// +optional
	MaxRateLimit *MaxRateLimit `json:"maxRateLimit,omitempty"`
}

// Requirement is Required or Optional.
//
// +kubebuilder:validation:Enum=Required;Optional
type Requirement string

// Values of Requirement.
const (
	Required Requirement = "Required"
	Optional Requirement = "Optional"
)

// MaxRateLimit is the highest rate of a rate limit.
type MaxRateLimit struct {
	// requests is how many requests may be allowed per period, 1 to 1000000000.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000000
	Requests int32 `json:"requests,omitempty"`

	// period is the length of time that requests refers to, 1s to 720h.
	//
	// +required
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('720h')",message="must be from 1s to 720h"
	Period Duration `json:"period,omitempty"`
}

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
// +kubebuilder:validation:Enum=default;unauthorized;ambiguous_credential;key_suspended;ip_not_allowed;project_mismatch;binding_mismatch;insufficient_scope;route_not_allowed;condition_not_met;rate_limit_exceeded;https_required;invalid_path;invalid_host;unavailable
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

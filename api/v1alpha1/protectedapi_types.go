package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ProtectedAPI says what keys are for: which hosts, where credentials are looked
// for, the shape of raw keys, the scopes and their routes, and what a denial looks
// like.
//
// +kubebuilder:validation:XValidation:rule="self.metadata.name != 'default'",message="default is what the default API is called in rights and by gateways: choose another name",fieldPath=".metadata"
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
	// +default={"conditions": [{"type": "Ready", "status": "Unknown", "reason": "Pending", "message": "waiting for the controller", "lastTransitionTime": "1970-01-01T00:00:00Z"}]}
	Status ProtectedAPIStatus `json:"status,omitempty,omitzero"`
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

package v1alpha1

// Duration is a length of time as Gateway API writes it (GEP-2257): one to four
// groups of digits and a unit of h, m, s or ms, such as "1h30m".
//
// +kubebuilder:validation:MinLength=2
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(h|m|s|ms)){1,4}$`
type Duration string

// Scope is the name of a permission, such as READ_BUDGETS or customers:read.
// "customers:*" stands for every scope that starts with "customers:", and "*"
// for every scope.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=128
// +kubebuilder:validation:Pattern=`^([A-Za-z0-9][A-Za-z0-9_./-]*(:[A-Za-z0-9][A-Za-z0-9_./-]*)*(:\*)?|\*)$`
type Scope string

// IPBlock is an IPv4 or IPv6 address ("192.0.2.7") or a block of them in CIDR
// notation ("192.0.2.0/24", RFC 4632; "2001:db8::/32", RFC 4291).
//
// +kubebuilder:validation:MinLength=2
// +kubebuilder:validation:MaxLength=43
// +kubebuilder:validation:XValidation:rule="isIP(self) || isCIDR(self)",message="must be an IP address or a CIDR block, such as 192.0.2.7 or 192.0.2.0/24"
type IPBlock string

// EnvironmentName names an environment of an API, such as live or test. It is
// written into the raw keys of that environment.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
type EnvironmentName string

// RateLimitAlgorithm names how requests are counted against a RateLimit.
//
// +kubebuilder:validation:Enum=FixedWindow;TokenBucket
type RateLimitAlgorithm string

const (
	// FixedWindow allows at most requests per window of one period. A window
	// starts at the first request after the one before has ended.
	FixedWindow RateLimitAlgorithm = "FixedWindow"
	// TokenBucket refills evenly at requests per period and holds at most burst
	// tokens: at most burst + requests in any one period.
	TokenBucket RateLimitAlgorithm = "TokenBucket"
)

// RateLimit bounds how many requests one APIKey may make. It counts per APIKey,
// and each auth server counts for itself: with N replicas behind a load
// balancer up to N times as many requests can pass.
//
// +kubebuilder:validation:XValidation:rule="!has(self.burst) || self.algorithm == 'TokenBucket'",message="burst is only for algorithm TokenBucket",fieldPath=".burst"
type RateLimit struct {
	// requests is how many requests are allowed per period, 1 to 1000000000.
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

	// algorithm is how requests are counted: FixedWindow allows at most requests
	// per window, which starts at its first request; TokenBucket refills evenly.
	// Unset: FixedWindow. A denied request uses nothing, and an edit of the limit
	// keeps what was used.
	//
	// +optional
	// +default="FixedWindow"
	Algorithm RateLimitAlgorithm `json:"algorithm,omitempty"`

	// burst is how many requests may come at once under TokenBucket, 1 to
	// 1000000000. Unset: requests.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000000
	Burst int32 `json:"burst,omitempty"`
}

// HeaderName is the name of an HTTP header (RFC 9110, section 5.1).
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=128
// +kubebuilder:validation:Pattern=`^[A-Za-z0-9!#$%&'*+.^_|~-]+$`
type HeaderName string

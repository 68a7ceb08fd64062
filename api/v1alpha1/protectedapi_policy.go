package v1alpha1

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

	// rotation is for what spec.rotation of keys leaves unset, field by field.
	//
	// +optional
	Rotation *RotationDefaults `json:"rotation,omitempty"`
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

	// maxRotationInterval is how old a raw key may get before it is replaced, 10m
	// to 87600h. It makes a rotation.interval required, the key's own or the
	// default one.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('10m') && duration(self) <= duration('87600h')",message="must be from 10m to 87600h"
	MaxRotationInterval Duration `json:"maxRotationInterval,omitempty"`

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
	// per time; a burst counts like requests of the rate limit's own period. It makes a rateLimit required, the key's own or the default one.
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

package v1alpha1

// Rotation says when a raw key is replaced.
//
// A new key is accepted by every auth server before it is put into the Secret, and
// the one before is accepted for overlap after that. While one overlap runs the
// next rotation waits, but for a lost key.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="!has(self.interval) || !has(self.overlap) || duration(self.overlap) < duration(self.interval)",message="overlap must be shorter than interval",fieldPath=".overlap"
type Rotation struct {
	// interval is how old a raw key gets before it is replaced, 10m to 87600h (720h
	// are 30 days). Unset: the API's default, else it isn't replaced by age.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('10m') && duration(self) <= duration('87600h')",message="must be from 10m to 87600h"
	Interval Duration `json:"interval,omitempty"`

	// overlap is how long a replaced key is still accepted, 0s to 8760h, but not
	// beyond expiresAt. With 0s it ends at once, and those who still hold it are
	// denied. Unset: the API's default, else 1h, but at most half of interval. Where
	// interval is the API's default, and overlap isn't shorter, half of interval.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) <= duration('8760h')",message="must be from 0s to 8760h"
	Overlap Duration `json:"overlap,omitempty"`

	// trigger rotates once when it takes a value that is none of
	// status.observedTriggers, the last 16: re-applying or reverting to an older
	// manifest rotates nothing, nor does unsetting it. The value that is there when
	// the key is first issued, imported or adopted counts as observed. 1 to 64
	// characters.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1F\x7F]+$`
	Trigger string `json:"trigger,omitempty"`

	// retire says when a replaced key ends: OnTime, after overlap, or WhenUnused,
	// once no auth server has seen it for overlap, and in any case after four times
	// overlap or an interval, whichever is less. Unset: the API's default, else
	// OnTime.
	//
	// +optional
	Retire RetirePolicy `json:"retire,omitempty"`
}

// RotationDefaults are for what an APIKey's rotation leaves unset, field by field.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="!has(self.interval) || !has(self.overlap) || duration(self.overlap) < duration(self.interval)",message="overlap must be shorter than interval",fieldPath=".overlap"
type RotationDefaults struct {
	// interval is how old a raw key gets before it is replaced, 10m to 87600h.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('10m') && duration(self) <= duration('87600h')",message="must be from 10m to 87600h"
	Interval Duration `json:"interval,omitempty"`

	// overlap is how long a replaced key is still accepted, 0s to 8760h.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) <= duration('8760h')",message="must be from 0s to 8760h"
	Overlap Duration `json:"overlap,omitempty"`

	// retire says when a replaced key ends, see APIKey's spec.rotation.retire.
	//
	// +optional
	Retire RetirePolicy `json:"retire,omitempty"`
}

// RetirePolicy says when a replaced key ends.
//
// +kubebuilder:validation:Enum=OnTime;WhenUnused
type RetirePolicy string

const (
	// RetireOnTime ends a replaced key after the overlap.
	RetireOnTime RetirePolicy = "OnTime"
	// RetireWhenUnused ends it once it hasn't been used for the overlap.
	RetireWhenUnused RetirePolicy = "WhenUnused"
)

// ExistingKey brings a key that exists already: as a Secret with the raw key, or
// as its hash, so that no raw key is ever in the cluster.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="has(self.secretKeyRef) != has(self.sha256)",message="exactly one of secretKeyRef and sha256 must be set"
type ExistingKey struct {
	// secretKeyRef names the entry of a Secret of this namespace that holds the raw
	// key: 20 to 512 visible ASCII characters, at least 8 different ones. The
	// Secret must carry the label apikey-operator.dev/import: "true". It is read
	// once and never changed; the raw key is copied into the APIKey's own Secret.
	//
	// +optional
	SecretKeyRef *SecretKeyReference `json:"secretKeyRef,omitempty"`

	// sha256 is the SHA-256 of the raw key's bytes in 64 lower-case hexadecimal
	// digits. There is no Secret until the first rotation.
	//
	// +optional
	// +kubebuilder:validation:MinLength=64
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{64}$`
	SHA256 string `json:"sha256,omitempty"`
}

// SecretKeyReference names an entry of a Secret of the same namespace.
type SecretKeyReference struct {
	// name is the Secret's name.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name,omitempty"`

	// key is the name of the entry.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key,omitempty"`
}

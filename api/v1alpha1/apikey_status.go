package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// APIKeyStatus is what the controller has made of an APIKey. It never holds a
// raw key.
type APIKeyStatus struct {
	// observedGeneration is the generation of spec that this status was made from.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// state is Pending (no key yet), Active, Suspended, Revoked or Expired. It is
	// for people: auth servers enforce spec and keys, which are earlier.
	//
	// +optional
	State KeyState `json:"state,omitempty"`

	// hint is the part of the current raw key that may be shown: prefix,
	// environment and four characters, such as bk_live_1234.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=80
	Hint string `json:"hint,omitempty"`

	// secretName is the Secret that holds the raw key.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName,omitempty"`

	// secretPhase is None as long as there is no Secret of ours, then Present.
	//
	// +optional
	SecretPhase SecretPhase `json:"secretPhase,omitempty"`

	// effective is what holds for the key where spec leaves it unset: the API's
	// keyDefaults as they were when the key was first issued.
	//
	// +optional
	Effective *EffectiveDefaults `json:"effective,omitempty"`

	// keys are the issued key versions, newest first. Auth servers accept each of
	// them until its notAfter. An empty list is a key that was never issued.
	//
	// +optional
	// +listType=map
	// +listMapKey=digest
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Keys []KeyVersion `json:"keys,omitempty"`

	// conditions hold Ready, which says whether the resource is as declared.
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

// EffectiveDefaults are an API's keyDefaults as resolved for one key.
//
// +kubebuilder:validation:MinProperties=1
type EffectiveDefaults struct {
	// expiresAt is when the key ends if spec.expiresAt is unset.
	//
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// rateLimit is the key's limit if spec.rateLimit is unset.
	//
	// +optional
	RateLimit *RateLimit `json:"rateLimit,omitempty"`
}

// KeyState is the state of an APIKey as people see it.
//
// +kubebuilder:validation:Enum=Pending;Active;Suspended;Revoked;Expired
type KeyState string

// States of an APIKey. Pending has no key yet; Expired is past its expiresAt.
const (
	StatePending   KeyState = "Pending"
	StateActive    KeyState = "Active"
	StateSuspended KeyState = "Suspended"
	StateRevoked   KeyState = "Revoked"
	StateExpired   KeyState = "Expired"
)

// SecretPhase says whether our Secret is there.
//
// +kubebuilder:validation:Enum=None;Present
type SecretPhase string

const (
	// SecretNone means that no Secret holds the raw key.
	SecretNone SecretPhase = "None"
	// SecretPresent means that status.secretName holds the raw key; if it is gone
	// or changed, the key is lost and a new one is issued.
	SecretPresent SecretPhase = "Present"
)

// KeyVersion is one issued raw key of an APIKey.
type KeyVersion struct {
	// digest is the SHA-256 of the raw key's bytes.
	//
	// +required
	// +kubebuilder:validation:MinLength=71
	// +kubebuilder:validation:MaxLength=71
	// +kubebuilder:validation:Pattern=`^sha256:[0-9a-f]{64}$`
	Digest string `json:"digest,omitempty"`

	// hint is the part of the raw key that may be shown.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=80
	Hint string `json:"hint,omitempty"`

	// phase is Pending (accepted, not yet known to be in the Secret), Current (in
	// the Secret), Retiring (replaced, accepted until notAfter) or Superseded
	// (lost before it reached the Secret, accepted until notAfter).
	//
	// +required
	Phase KeyPhase `json:"phase,omitempty"`

	// issuedAt is when the raw key was generated.
	//
	// +required
	IssuedAt metav1.Time `json:"issuedAt,omitempty,omitzero"`

	// notAfter is when auth servers stop to accept this version. Unset: with the
	// APIKey's expiresAt.
	//
	// +optional
	NotAfter *metav1.Time `json:"notAfter,omitempty"`
}

// KeyPhase is where a key version stands.
//
// +kubebuilder:validation:Enum=Pending;Current;Superseded;Retiring
type KeyPhase string

// Phases of a key version, see KeyVersion.phase.
const (
	KeyPending    KeyPhase = "Pending"
	KeyCurrent    KeyPhase = "Current"
	KeySuperseded KeyPhase = "Superseded"
	KeyRetiring   KeyPhase = "Retiring"
)

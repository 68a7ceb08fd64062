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

	// secretPhase is None as long as there is no Secret of ours, then Present; with
	// secret.deleteAfter then Deleting and Delivered.
	//
	// +optional
	SecretPhase SecretPhase `json:"secretPhase,omitempty"`

	// deliveredSecret is the SHA-256 of spec.secret as it was when the Secret was
	// deleted after delivery, so that later changes can be told.
	//
	// +optional
	// +kubebuilder:validation:MinLength=71
	// +kubebuilder:validation:MaxLength=71
	// +kubebuilder:validation:Pattern=`^sha256:[0-9a-f]{64}$`
	DeliveredSecret string `json:"deliveredSecret,omitempty"`

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

	// nextRotationAt is when the current key is replaced by age. Unset: never, or
	// not before it expires.
	//
	// +optional
	NextRotationAt *metav1.Time `json:"nextRotationAt,omitempty"`

	// observedTriggers are the last 16 values of spec.rotation.trigger that have
	// rotated, or were there at first issue, newest last.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	ObservedTriggers []string `json:"observedTriggers,omitempty"`

	// conditions hold Ready, which says whether the resource is as declared,
	// Propagated, which says whether the auth servers have seen it, and others
	// where they apply.
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

	// rotation is for what spec.rotation leaves unset.
	//
	// +optional
	Rotation *RotationDefaults `json:"rotation,omitempty"`
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
// +kubebuilder:validation:Enum=None;Present;Deleting;Delivered
type SecretPhase string

const (
	// SecretNone means that no Secret holds the raw key.
	SecretNone SecretPhase = "None"
	// SecretPresent means that status.secretName holds the raw key; if it is gone
	// or changed, the key is lost and a new one is issued.
	SecretPresent SecretPhase = "Present"
	// SecretDeleting means that the raw key was there for secret.deleteAfter, and
	// its Secret is about to be deleted by us: the key isn't lost.
	SecretDeleting SecretPhase = "Deleting"
	// SecretDelivered means that it has been. The key works on.
	SecretDelivered SecretPhase = "Delivered"
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

	// hint is the part of the raw key that may be shown. Unset: an imported key
	// that hasn't the shape of the API's keys.
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

	// issuedAt is when the raw key was generated or imported.
	//
	// +required
	IssuedAt metav1.Time `json:"issuedAt,omitempty,omitzero"`

	// notAfter is when auth servers stop to accept this version. Unset: with the
	// APIKey's expiresAt.
	//
	// +optional
	NotAfter *metav1.Time `json:"notAfter,omitempty"`

	// deliveredAt is when the raw key was first seen in the Secret. Unset: not yet,
	// or imported by its hash.
	//
	// +optional
	DeliveredAt *metav1.Time `json:"deliveredAt,omitempty"`

	// lastUsedAt is about when auth servers last let a request with this version
	// through. It is written seldom: at most every minute for a retiring version,
	// and every hour for the others.
	//
	// +optional
	LastUsedAt *metav1.Time `json:"lastUsedAt,omitempty"`
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

package compile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
)

// ErrEnvironment is returned for an environment that the API doesn't have, or
// that is missing.
var ErrEnvironment = errors.New("spec.environment")

// Format returns the format of the raw keys of an environment. Nil is the
// default API's.
func Format(f *v1alpha1.KeyFormat, env v1alpha1.EnvironmentName) (key.Format, error) {
	var environments []v1alpha1.EnvironmentName
	format := key.Default
	if f != nil {
		environments = f.Environments
		format = key.Format{
			Prefix:      f.Prefix,
			Environment: string(env),
			Separator:   "_",
			Alphabet:    alphabets[f.Encoding],
			Length:      int(f.Length),
			Checksum:    f.Checksum == v1alpha1.ChecksumCRC32,
		}
		if f.Separator != nil {
			format.Separator = string(*f.Separator)
		}
	}
	switch {
	case env == "" && len(environments) > 0:
		return key.Format{}, fmt.Errorf("%w: must be one of the API's: %s", ErrEnvironment, join(environments))
	case env != "" && len(environments) == 0:
		return key.Format{}, fmt.Errorf("%w: the API has no environments, must be unset", ErrEnvironment)
	case env != "" && !slices.Contains(environments, env):
		return key.Format{}, fmt.Errorf("%w: %q is not one of the API's: %s", ErrEnvironment, env, join(environments))
	}
	if err := format.Validate(); err != nil {
		return key.Format{}, fmt.Errorf("spec.keyFormat: %w", err)
	}
	return format, nil
}

var alphabets = map[v1alpha1.Encoding]key.Alphabet{
	v1alpha1.EncodingHex:    key.Hex,
	v1alpha1.EncodingBase36: key.Base36,
	v1alpha1.EncodingBase62: key.Base62,
	v1alpha1.EncodingBase64: key.Base64,
}

func join(environments []v1alpha1.EnvironmentName) string {
	names := make([]string, len(environments))
	for i, e := range environments {
		names[i] = string(e)
	}
	return strings.Join(names, ", ")
}

// APIName returns the name of the API that an APIKey opens.
func APIName(k *v1alpha1.APIKey) keyring.Name {
	ref := k.Spec.APIRef
	switch {
	case ref == nil:
		return keyring.DefaultAPI
	case ref.Namespace == "":
		return keyring.Name{Namespace: k.Namespace, Name: ref.Name}
	default:
		return keyring.Name{Namespace: ref.Namespace, Name: ref.Name}
	}
}

// EndOf returns when a key ends: spec decides as soon as it says so, and where it
// is silent what the API's default came to at first issue. Nil is never.
func EndOf(k *v1alpha1.APIKey) *metav1.Time {
	if k.Spec.ExpiresAt == nil && k.Status.Effective != nil {
		return k.Status.Effective.ExpiresAt
	}
	return k.Spec.ExpiresAt
}

// RateLimitOf returns the limit of a key in the same way. Nil is none.
func RateLimitOf(k *v1alpha1.APIKey) *v1alpha1.RateLimit {
	if k.Spec.RateLimit == nil && k.Status.Effective != nil {
		return k.Status.Effective.RateLimit
	}
	return k.Spec.RateLimit
}

// Key compiles what is enforced of an APIKey: its spec, the defaults that fill it
// up, its key versions with their deadlines, and its deletion. status.state, which
// waits for the controller, is not.
func Key(k *v1alpha1.APIKey) *keyring.Key {
	out := keyring.NewKey()
	out.Name = keyring.Name{Namespace: k.Namespace, Name: k.Name}
	out.UID = string(k.UID)
	out.CreatedAt = keyring.At(k.CreationTimestamp.Time)
	out.API = APIName(k)
	out.DisplayName = k.Spec.DisplayName
	out.Project = k.Spec.Project
	out.Environment = string(k.Spec.Environment)
	out.ExpiresAt = deadline(EndOf(k))
	if o := k.Spec.Owner; o != nil {
		out.OwnerName, out.OwnerEmail = o.Name, o.Email
	}
	if n := len(k.Spec.Scopes); n > 0 {
		out.Scopes = make([]string, n)
		for i, s := range k.Spec.Scopes {
			out.Scopes[i] = string(s)
		}
	}
	out.Attributes = keyring.NewAttributes(k.Spec.Attributes)
	var err error
	if out.AllowedIPs, err = blocks(k.Spec.AllowedIPs); err != nil {
		out.Err = fmt.Errorf("spec.allowedIPs: %w", err)
	}
	if out.Limit, err = limit(RateLimitOf(k)); err != nil {
		field := "spec.rateLimit"
		if k.Spec.RateLimit == nil {
			field = "status.effective.rateLimit"
		}
		out.Err = fmt.Errorf("%s: %w", field, err)
	}
	if out.State, err = state(k); err != nil {
		out.Err = err
	}
	addVersions(out, k)
	return out
}

// HashDigest is the digest of a key that is brought by its hash.
func HashDigest(e *v1alpha1.ExistingKey) string { return "sha256:" + e.SHA256 }

// ByHash reports whether an APIKey claims a key with nothing but its hash.
func ByHash(k *v1alpha1.APIKey, digest string) bool {
	e := k.Spec.ExistingKey
	return e != nil && e.SHA256 != "" && digest == HashDigest(e)
}

func state(k *v1alpha1.APIKey) (keyring.State, error) {
	switch {
	case k.Spec.State == v1alpha1.DesiredRevoked:
		return keyring.Revoked, nil // also while it is being deleted: its digest stays denied
	case !k.DeletionTimestamp.IsZero():
		return keyring.Deleted, nil
	case k.Spec.State == "" || k.Spec.State == v1alpha1.DesiredActive:
		return keyring.Active, nil
	case k.Spec.State == v1alpha1.DesiredSuspended:
		return keyring.Suspended, nil
	default:
		return keyring.Suspended, fmt.Errorf("spec.state: %q is not known", k.Spec.State)
	}
}

func limit(r *v1alpha1.RateLimit) (ratelimit.Limit, error) {
	if r == nil {
		return ratelimit.Limit{}, nil
	}
	period, err := time.ParseDuration(string(r.Period))
	if err != nil || period <= 0 || r.Requests <= 0 {
		return ratelimit.Limit{}, fmt.Errorf("%d requests in %q can't be counted", r.Requests, r.Period)
	}
	l := ratelimit.Limit{Requests: int64(r.Requests), Period: period}
	switch r.Algorithm {
	case "", v1alpha1.FixedWindow:
	case v1alpha1.TokenBucket:
		l.Algorithm, l.Burst = ratelimit.TokenBucket, int64(r.Burst)
	default:
		return ratelimit.Limit{}, fmt.Errorf("algorithm %q is not known", r.Algorithm)
	}
	return l, nil
}

// addVersions leaves out what isn't a digest: nobody can hold its raw key.
func addVersions(out *keyring.Key, k *v1alpha1.APIKey) {
	out.Versions = slices.Grow(out.Versions, len(k.Status.Keys))
	for _, v := range k.Status.Keys {
		d, err := key.ParseDigest(v.Digest)
		if err != nil {
			continue
		}
		out.Versions = append(out.Versions, keyring.Version{Digest: d, Hint: v.Hint, NotAfter: deadline(v.NotAfter), ByHash: ByHash(k, v.Digest)})
	}
}

// deadline returns a time, 0 if there is none. The year 1, which Go takes for no
// time, has passed.
func deadline(t *metav1.Time) keyring.Instant {
	switch {
	case t == nil:
		return 0
	case t.IsZero():
		return keyring.At(time.Unix(0, 0))
	default:
		return keyring.At(t.Time)
	}
}

package policy

import (
	"cmp"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// Resolve returns what an API's keyDefaults come to for a key that is first issued
// now, nil if there are none: also where spec has its own, which may be taken out. The end counts from issue, but is cut to what
// maxTTL allows after creation, so that equal ones agree; a ttl above maxTTL isn't
// bent to it.
func Resolve(k *v1alpha1.APIKey, api *v1alpha1.ProtectedAPISpec, now time.Time) *v1alpha1.EffectiveDefaults {
	if api == nil || api.KeyDefaults == nil {
		return nil
	}
	out := &v1alpha1.EffectiveDefaults{RateLimit: api.KeyDefaults.RateLimit.DeepCopy(), Rotation: api.KeyDefaults.Rotation.DeepCopy()}
	if api.KeyDefaults.TTL != "" {
		ttl := Length(api.KeyDefaults.TTL)
		end := Seconds(Seconds(now).Add(ttl))
		if l := api.KeyLimits; l != nil && l.MaxTTL != "" && ttl <= Length(l.MaxTTL) && end.After(Latest(k, l).Time) {
			end = Latest(k, l)
		}
		out.ExpiresAt = &end
	}
	if out.RateLimit == nil && out.ExpiresAt == nil && out.Rotation == nil {
		return nil
	}
	return out
}

// Resolved returns a key as it is, or, where no version of it is left, as it would
// be if it were first issued now.
func Resolved(k *v1alpha1.APIKey, api *v1alpha1.ProtectedAPISpec, now time.Time) *v1alpha1.APIKey {
	if len(k.Status.Keys) > 0 {
		return k
	}
	out := &v1alpha1.APIKey{ObjectMeta: k.ObjectMeta, Spec: k.Spec, Status: k.Status}
	out.Status.Effective = Resolve(k, api, now)
	return out
}

// Delivered reports whether the current key is one that consumers can have had. A
// version before that may be dropped, and the key issued anew.
func Delivered(k *v1alpha1.APIKey) bool { return Current(k.Status.Keys) != nil }

// Current is the current key version, nil if there is none.
func Current(keys []v1alpha1.KeyVersion) *v1alpha1.KeyVersion {
	for i := range keys {
		if keys[i].Phase == v1alpha1.KeyCurrent {
			return &keys[i]
		}
	}
	return nil
}

// EndCertain reports whether a key that has come to its end stays there until somebody
// edits it: by its own end, or once it was delivered. Until then an end by default goes
// with the version that it was resolved for.
func EndCertain(k *v1alpha1.APIKey) bool { return k.Spec.ExpiresAt != nil || Delivered(k) }

// Interval is how old a key gets before it is replaced, its own interval or the
// default as it was resolved; 0 is never.
func Interval(k *v1alpha1.APIKey) time.Duration {
	var own, byDefault v1alpha1.Duration
	if k.Spec.Rotation != nil {
		own = k.Spec.Rotation.Interval
	}
	if e := k.Status.Effective; e != nil && e.Rotation != nil {
		byDefault = e.Rotation.Interval
	}
	return Length(cmp.Or(own, byDefault))
}

// Latest is the last end that maxTTL allows.
func Latest(k *v1alpha1.APIKey, l *v1alpha1.KeyLimits) metav1.Time {
	return Seconds(k.CreationTimestamp.Add(Length(l.MaxTTL)))
}

// Length is 0 for what can't be read, which the schema refuses: a key then ends at
// once, and no end is early enough.
func Length(d v1alpha1.Duration) time.Duration {
	parsed, err := time.ParseDuration(string(d))
	if err != nil {
		return 0
	}
	return parsed
}

// Seconds is a time in the precision of the API.
func Seconds(now time.Time) metav1.Time { return metav1.NewTime(now.UTC().Truncate(time.Second)) }

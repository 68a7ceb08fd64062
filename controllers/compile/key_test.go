package compile_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
)

var (
	noon     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	created  = metav1.NewTime(noon.Add(-24 * time.Hour))
	digest   = key.NewRaw("ak_one").Digest()
	digest2  = key.NewRaw("ak_two").Digest()
	prefixes = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	// compilable compares compiled objects; the limiter isn't compiled.
	compilable = cmp.Options{prefixes, cmpopts.EquateEmpty(), cmpopts.EquateErrors(), cmpopts.IgnoreUnexported(keyring.Key{}, keyring.Version{}, keyring.Terms{}, keyring.Holder{})}
)

// apiKey is an APIKey with nothing but what every one has.
func apiKey() *v1alpha1.APIKey {
	k := &v1alpha1.APIKey{}
	k.Namespace, k.Name, k.UID, k.CreationTimestamp = "apps", "shop", "uid-1", created
	return k
}

func plainKey() *keyring.Key {
	k := keyring.NewKey()
	k.Name, k.UID, k.CreatedAt = keyring.Name{Namespace: "apps", Name: "shop"}, "uid-1", keyring.At(created.Time)
	return k
}

func TestKey(t *testing.T) {
	end := new(metav1.NewTime(noon))
	for _, row := range []struct {
		name string
		set  func(*v1alpha1.APIKey)
		want func(*keyring.Key)
	}{
		{"empty spec", func(*v1alpha1.APIKey) {}, func(*keyring.Key) {}},
		{"displayName", func(k *v1alpha1.APIKey) { k.Spec.DisplayName = "Shop" }, func(w *keyring.Key) { w.DisplayName = "Shop" }},
		{"description says nothing to auth servers", func(k *v1alpha1.APIKey) { k.Spec.Description = "x" }, func(*keyring.Key) {}},
		{"secret neither", func(k *v1alpha1.APIKey) { k.Spec.Secret = &v1alpha1.SecretTemplate{Name: "x"} }, func(*keyring.Key) {}},
		{"project", func(k *v1alpha1.APIKey) { k.Spec.Project = "p" }, func(w *keyring.Key) { w.Project = "p" }},
		{"environment", func(k *v1alpha1.APIKey) { k.Spec.Environment = "live" }, func(w *keyring.Key) { w.Environment = "live" }},
		{"apiRef", func(k *v1alpha1.APIKey) { k.Spec.APIRef = &v1alpha1.ProtectedAPIReference{Name: "a"} }, func(w *keyring.Key) { w.API = keyring.Name{Namespace: "apps", Name: "a"} }},
		{"apiRef elsewhere", func(k *v1alpha1.APIKey) {
			k.Spec.APIRef = &v1alpha1.ProtectedAPIReference{Name: "a", Namespace: "apis"}
		}, func(w *keyring.Key) { w.API = keyring.Name{Namespace: "apis", Name: "a"} }},
		{"attributes", func(k *v1alpha1.APIKey) { k.Spec.Attributes = map[string]v1alpha1.AttributeValue{"team": "t"} }, func(w *keyring.Key) { w.Attributes = keyring.NewAttributes(map[string]string{"team": "t"}) }},
		{"owner", func(k *v1alpha1.APIKey) { k.Spec.Owner = &v1alpha1.Owner{Name: "n", Email: "e@x"} }, func(w *keyring.Key) { w.OwnerName, w.OwnerEmail = "n", "e@x" }},
		{"scopes", func(k *v1alpha1.APIKey) { k.Spec.Scopes = []v1alpha1.Scope{"A", "b:*"} }, func(w *keyring.Key) { w.Scopes = keyring.Scopes{"A", "b:*"} }},
		{"allowedIPs", func(k *v1alpha1.APIKey) {
			k.Spec.AllowedIPs = []v1alpha1.IPBlock{"192.0.2.7", "198.51.100.0/24", "2001:db8::1", "2001:db8::/32"}
		}, func(w *keyring.Key) {
			w.AllowedIPs = []netip.Prefix{
				netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("198.51.100.0/24"),
				netip.MustParsePrefix("2001:db8::1/128"), netip.MustParsePrefix("2001:db8::/32"),
			}
		}},
		{"rateLimit", func(k *v1alpha1.APIKey) { k.Spec.RateLimit = &v1alpha1.RateLimit{Requests: 10, Period: "1h30m"} }, func(w *keyring.Key) { w.Limit = ratelimit.Limit{Requests: 10, Period: 90 * time.Minute} }},
		{"fixed window", func(k *v1alpha1.APIKey) {
			k.Spec.RateLimit = &v1alpha1.RateLimit{Requests: 10, Period: "1h", Algorithm: "FixedWindow"}
		}, func(w *keyring.Key) { w.Limit = ratelimit.Limit{Requests: 10, Period: time.Hour} }},
		{"token bucket", func(k *v1alpha1.APIKey) {
			k.Spec.RateLimit = &v1alpha1.RateLimit{Requests: 10, Period: "1s", Algorithm: "TokenBucket", Burst: 5}
		}, func(w *keyring.Key) {
			w.Limit = ratelimit.Limit{Requests: 10, Period: time.Second, Algorithm: ratelimit.TokenBucket, Burst: 5}
		}},
		{"token bucket without burst", func(k *v1alpha1.APIKey) {
			k.Spec.RateLimit = &v1alpha1.RateLimit{Requests: 10, Period: "1s", Algorithm: "TokenBucket"}
		}, func(w *keyring.Key) {
			w.Limit = ratelimit.Limit{Requests: 10, Period: time.Second, Algorithm: ratelimit.TokenBucket}
		}},
		{"expiresAt", func(k *v1alpha1.APIKey) { k.Spec.ExpiresAt = end }, func(w *keyring.Key) { w.ExpiresAt = keyring.At(noon) }},
		{"active", func(k *v1alpha1.APIKey) { k.Spec.State = "Active" }, func(*keyring.Key) {}},
		{"suspended", func(k *v1alpha1.APIKey) { k.Spec.State = "Suspended" }, func(w *keyring.Key) { w.State = keyring.Suspended }},
		{"revoked", func(k *v1alpha1.APIKey) { k.Spec.State = "Revoked" }, func(w *keyring.Key) { w.State = keyring.Revoked }},
		{"being deleted", func(k *v1alpha1.APIKey) { k.DeletionTimestamp = end }, func(w *keyring.Key) { w.State = keyring.Deleted }},
		{"suspended, being deleted", func(k *v1alpha1.APIKey) { k.DeletionTimestamp, k.Spec.State = end, "Suspended" }, func(w *keyring.Key) { w.State = keyring.Deleted }},
		{"revoked, being deleted: its digest stays denied", func(k *v1alpha1.APIKey) { k.DeletionTimestamp, k.Spec.State = end, "Revoked" }, func(w *keyring.Key) { w.State = keyring.Revoked }},
		{"status.state says nothing", func(k *v1alpha1.APIKey) { k.Status.State = v1alpha1.StateRevoked }, func(*keyring.Key) {}},
		{"versions, in every phase", func(k *v1alpha1.APIKey) {
			k.Status.Keys = []v1alpha1.KeyVersion{{Digest: digest.String(), Hint: "ak_o", Phase: "Pending"}, {Digest: digest2.String(), Phase: "Retiring", NotAfter: end}}
		}, func(w *keyring.Key) {
			w.Versions = []keyring.Version{{Digest: digest, Hint: "ak_o"}, {Digest: digest2, NotAfter: keyring.At(noon)}}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			k, want := apiKey(), plainKey()
			row.set(k)
			row.want(want)
			if diff := cmp.Diff(want, compile.Key(k), compilable); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestBrokenKey: what can't be read is an error, or accepts nothing; it never means
// that there is no restriction.
func TestBrokenKey(t *testing.T) {
	for _, row := range []struct {
		name string
		set  func(*v1alpha1.APIKey)
		err  string
	}{
		{"a block that is none", func(k *v1alpha1.APIKey) { k.Spec.AllowedIPs = []v1alpha1.IPBlock{"192.0.2.0/24", "192.0.2.0/33"} }, "spec.allowedIPs"},
		{"an empty block", func(k *v1alpha1.APIKey) { k.Spec.AllowedIPs = []v1alpha1.IPBlock{""} }, "spec.allowedIPs"},
		{"an address with a zone", func(k *v1alpha1.APIKey) { k.Spec.AllowedIPs = []v1alpha1.IPBlock{"fe80::1%eth0"} }, "spec.allowedIPs"},
		{"a name for a block", func(k *v1alpha1.APIKey) { k.Spec.AllowedIPs = []v1alpha1.IPBlock{"any"} }, "spec.allowedIPs"},
		{"an unknown state", func(k *v1alpha1.APIKey) { k.Spec.State = "Paused" }, "spec.state"},
		{"no period", func(k *v1alpha1.APIKey) { k.Spec.RateLimit = &v1alpha1.RateLimit{Requests: 1} }, "spec.rateLimit"},
		{"a period that is none", func(k *v1alpha1.APIKey) { k.Spec.RateLimit = &v1alpha1.RateLimit{Requests: 1, Period: "1d"} }, "spec.rateLimit"},
		{"a period of nothing", func(k *v1alpha1.APIKey) { k.Spec.RateLimit = &v1alpha1.RateLimit{Requests: 1, Period: "0s"} }, "spec.rateLimit"},
		{"a negative period", func(k *v1alpha1.APIKey) { k.Spec.RateLimit = &v1alpha1.RateLimit{Requests: 1, Period: "-1s"} }, "spec.rateLimit"},
		{"no requests", func(k *v1alpha1.APIKey) { k.Spec.RateLimit = &v1alpha1.RateLimit{Period: "1s"} }, "spec.rateLimit"},
		{"an unknown algorithm", func(k *v1alpha1.APIKey) {
			k.Spec.RateLimit = &v1alpha1.RateLimit{Requests: 1, Period: "1s", Algorithm: "Leaky"}
		}, "spec.rateLimit"},
		{"two errors", func(k *v1alpha1.APIKey) {
			k.Spec.State, k.Spec.AllowedIPs = "Paused", []v1alpha1.IPBlock{"x"}
		}, "spec."},
	} {
		t.Run(row.name, func(t *testing.T) {
			k := apiKey()
			k.Status.Keys = []v1alpha1.KeyVersion{{Digest: digest.String()}}
			row.set(k)
			if err := compile.Key(k).Err; err == nil || !strings.Contains(err.Error(), row.err) {
				t.Errorf("error %v, want %s", err, row.err)
			}
		})
	}
}

// TestBrokenTimes: a time that says nothing is one that has passed.
func TestBrokenTimes(t *testing.T) {
	k := apiKey()
	k.Spec.ExpiresAt = &metav1.Time{}
	k.Status.Keys = []v1alpha1.KeyVersion{{Digest: digest.String(), NotAfter: &metav1.Time{}}}
	got := compile.Key(k)
	if end := got.ExpiresAt; end.IsZero() || end > keyring.At(noon) {
		t.Errorf("expires at %v", end)
	}
	for _, v := range got.Versions {
		if v.NotAfter.IsZero() || v.NotAfter > keyring.At(noon) {
			t.Errorf("accepted until %v", v.NotAfter)
		}
	}
}

// TestBrokenDigests: nobody can hold the raw key of what isn't a digest.
func TestBrokenDigests(t *testing.T) {
	k := apiKey()
	for _, d := range []string{"", "sha256:", strings.ToUpper(digest.String()), digest.String()[7:], "md5:" + digest.String()[7:], digest.String() + "0"} {
		k.Status.Keys = append(k.Status.Keys, v1alpha1.KeyVersion{Digest: d})
	}
	k.Status.Keys = append(k.Status.Keys, v1alpha1.KeyVersion{Digest: digest2.String()})
	want := []keyring.Version{{Digest: digest2}}
	if diff := cmp.Diff(want, compile.Key(k).Versions, cmpopts.IgnoreUnexported(keyring.Version{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestFormat(t *testing.T) {
	live := []v1alpha1.EnvironmentName{"live", "test"}
	for _, row := range []struct {
		name string
		spec *v1alpha1.KeyFormat
		env  v1alpha1.EnvironmentName
		want key.Format
		err  string
	}{
		{name: "the default", want: key.Default},
		{
			name: "everything", spec: &v1alpha1.KeyFormat{Prefix: "bk", Separator: new(v1alpha1.Separator("-")), Environments: live, Encoding: "Hex", Length: 48, Checksum: "CRC32"}, env: "test",
			want: key.Format{Prefix: "bk", Environment: "test", Separator: "-", Alphabet: key.Hex, Length: 48, Checksum: true},
		},
		{name: "no separator is said", spec: &v1alpha1.KeyFormat{Encoding: "Base36", Length: 40}, want: key.Format{Separator: "_", Alphabet: key.Base36, Length: 40}},
		{name: "the empty separator", spec: &v1alpha1.KeyFormat{Separator: new(v1alpha1.Separator("")), Encoding: "Base64", Length: 22, Checksum: "None"}, want: key.Format{Alphabet: key.Base64, Length: 22}},
		{name: "base62", spec: &v1alpha1.KeyFormat{Encoding: "Base62", Length: 32}, want: key.Format{Separator: "_", Alphabet: key.Base62, Length: 32}},
		{name: "an environment is missing", spec: &v1alpha1.KeyFormat{Environments: live, Encoding: "Hex", Length: 32}, err: "spec.environment: must be one of the API's: live, test"},
		{name: "an environment too many", spec: &v1alpha1.KeyFormat{Encoding: "Hex", Length: 32}, env: "live", err: "spec.environment: the API has no environments, must be unset"},
		{name: "an environment of the default API", env: "live", err: "spec.environment: the API has no environments, must be unset"},
		{name: "an unknown environment", spec: &v1alpha1.KeyFormat{Environments: live, Encoding: "Hex", Length: 32}, env: "prod", err: `spec.environment: "prod" is not one of the API's: live, test`},
		{name: "an unknown encoding", spec: &v1alpha1.KeyFormat{Encoding: "Base32", Length: 32}, err: "spec.keyFormat: encoding"},
		{name: "one of the environments", spec: &v1alpha1.KeyFormat{Environments: live, Encoding: "Hex", Length: 32}, env: "live", want: key.Format{Environment: "live", Separator: "_", Alphabet: key.Hex, Length: 32}},
		{name: "too short", spec: &v1alpha1.KeyFormat{Encoding: "Hex", Length: 31}, err: "spec.keyFormat: length"},
		{name: "no length", spec: &v1alpha1.KeyFormat{Encoding: "Hex"}, err: "spec.keyFormat: length"},
		{name: "a prefix that no header can hold", spec: &v1alpha1.KeyFormat{Prefix: "b k", Encoding: "Hex", Length: 32}, err: "spec.keyFormat: prefix"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := compile.Format(row.spec, row.env)
			if row.err != "" {
				if err == nil || !strings.Contains(err.Error(), row.err) || got.Length != 0 {
					t.Errorf("got %+v and error %v, want %s", got, err, row.err)
				}
				if strings.Contains(row.err, "environment") != errors.Is(err, compile.ErrEnvironment) {
					t.Errorf("%v is ErrEnvironment: %v", err, errors.Is(err, compile.ErrEnvironment))
				}
				return
			}
			if err != nil || got != row.want {
				t.Errorf("got %+v and error %v, want %+v", got, err, row.want)
			}
		})
	}
}

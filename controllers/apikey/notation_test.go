package apikey

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/internal/key"
)

// The notation of the tables: a key version is written
//
//	k2 Retiring 1h
//
// where k2 stands for a raw key and 1h for a notAfter in an hour from now, and
// versions are separated by commas.

// start is now in tables.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// earlier is when the keys of tables were issued.
var earlier = metav1.NewTime(start.Add(-48 * time.Hour))

func rawOf(name string) key.Raw { return key.NewRaw("ak_raw_key_number_" + name) }

// digests are of raw keys by name, and names of raw keys by written digest.
var digests, names sync.Map

func digestOf(name string) *key.Digest {
	if d, ok := digests.Load(name); ok {
		return d.(*key.Digest)
	}
	d := rawOf(name).Digest()
	digests.Store(name, &d)
	names.Store(d.String(), name)
	return &d
}

// nameOf is the name of the raw key that a digest is of.
func nameOf(digest string) string {
	if name, ok := names.Load(digest); ok {
		return name.(string)
	}
	return digest
}

func hintOf(name string) string { return "ak_" + name }

// versions reads the notation.
func versions(t *testing.T, notation string) []v1alpha1.KeyVersion {
	t.Helper()
	var keys []v1alpha1.KeyVersion
	for _, one := range strings.Split(notation, ", ") {
		words := strings.Fields(one)
		if len(words) == 0 {
			continue
		}
		v := v1alpha1.KeyVersion{
			Digest: digestOf(words[0]).String(), Hint: hintOf(words[0]), Phase: v1alpha1.KeyPhase(words[1]), IssuedAt: earlier,
		}
		if len(words) == 3 {
			in, err := time.ParseDuration(words[2])
			if err != nil {
				t.Fatalf("%q: %v", one, err)
			}
			v.NotAfter = at(in)
		}
		keys = append(keys, v)
	}
	return keys
}

// at is a time from now.
func at(in time.Duration) *metav1.Time {
	t := metav1.NewTime(start.Add(in))
	return &t
}

// notation writes it.
func notation(keys []v1alpha1.KeyVersion) string {
	out := make([]string, len(keys))
	for i, v := range keys {
		out[i] = fmt.Sprintf("%s %s", nameOf(v.Digest), v.Phase)
		if v.NotAfter != nil {
			out[i] += " " + short(v.NotAfter.Sub(start))
		}
	}
	return strings.Join(out, ", ")
}

// short writes 1h0m0s as 1h.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// outcome is a whole plan in the notation of the tables.
type outcome struct {
	step   Step
	state  v1alpha1.KeyState
	ready  string // status and reason
	secret string // phase and name
	keys   string
	again  time.Duration
}

func outcomeOf(p Plan) outcome {
	return outcome{
		step: p.Step, state: p.Status.State, ready: readyOf(p.Status), secret: secretOf(p.Status),
		keys: notation(p.Status.Keys), again: p.Again,
	}
}

func readyOf(s v1alpha1.APIKeyStatus) string {
	c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady)
	if c == nil {
		return ""
	}
	return string(c.Status) + " " + c.Reason
}

func secretOf(s v1alpha1.APIKeyStatus) string {
	return strings.TrimSpace(string(s.SecretPhase) + " " + s.SecretName)
}

// String names the step.
func (s Step) String() string {
	return [...]string{"Settle", "Record", "Issue", "Deliver", "Update", "Copy", "DeleteTarget", "DeletePrevious"}[s]
}

// cmpEmpty takes no map for an empty one.
var cmpEmpty = cmpopts.EquateEmpty()

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// ignoreType takes objects with and without their kind for equal.
var ignoreType = cmpopts.IgnoreFields(corev1.Secret{}, "TypeMeta")

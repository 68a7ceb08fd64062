package apikey

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// orphaned is a Secret that nobody owns and that says what it is.
func orphanHolding(name string) Held {
	return Held{Ownership: Orphan, Digest: digestOf(name), Adoptable: true, IssuedAt: earlier.Time}
}

// TestDeliveredOnce: intent before deed, and the key isn't lost by it.
func TestDeliveredOnce(t *testing.T) {
	after := deletedAfter
	both := func(s *v1alpha1.APIKeySpec) {
		after("24h")(s)
		rotation(v1alpha1.Rotation{Trigger: "a"})(s)
	}
	turns(t, []turn{{
		name: "not yet", spec: []edit{after("72h")}, keys: "k1 Current", target: holds("k1"),
		want: turned{Settle, "k1 Current", "True Issued", "", "Present", "", "", "24h"},
	}, {
		name: "long enough: the intent", spec: []edit{after("48h")}, keys: "k1 Current", target: holds("k1"),
		want: turned{Record, "k1 Current", "True Issued", "", "Deleting", "", "", ""},
	}, {
		name: "the deed", spec: []edit{after("48h")}, phase: "Deleting", keys: "k1 Current", target: holds("k1"),
		want: turned{DeleteTarget, "k1 Current", "True Issued", "", "Deleting", "", "", ""},
	}, {
		name: "a key that has expired is deleted too", spec: []edit{after("48h"), expires(-time.Hour)}, keys: "k1 Current", target: holds("k1"),
		want: turned{Record, "k1 Current", "True Issued", "", "Deleting", "", "", ""},
	}, {
		name: "done", spec: []edit{after("48h")}, phase: "Deleting", keys: "k1 Current",
		want: turned{Settle, "k1 Current", "True Issued", "", "Delivered", "", "", ""},
	}, {
		name: "it stays so", spec: []edit{after("48h")}, phase: "Delivered", keys: "k1 Current",
		want: turned{Settle, "k1 Current", "True Issued", "", "Delivered", "", "", ""},
	}, {
		name: "the intent is taken back in time", phase: "Deleting", keys: "k1 Current", target: holds("k1"),
		want: turned{Record, "k1 Current", "True Issued", "", "Present", "", "", ""},
	}, {
		name: "edited in between: deleted all the same", spec: []edit{after("48h")}, phase: "Deleting", keys: "k1 Current", target: noKey,
		want: turned{DeleteTarget, "k1 Current", "True Issued", "", "Deleting", "", "", ""},
	}, {
		name: "a finalizer holds it", spec: []edit{after("48h")}, phase: "Deleting", keys: "k1 Current", target: terminating(noKey),
		want: turned{Settle, "k1 Current", "True Issued", "", "Deleting", "", "", "2s"},
	}, {
		name: "somebody's Secret of that name is in nobody's way", spec: []edit{after("48h")}, phase: "Delivered", keys: "k1 Current", target: foreign,
		want: turned{Settle, "k1 Current", "True Issued", "", "Delivered", "", "", ""},
	}, {
		name: "but of the next key", spec: []edit{both}, phase: "Delivered", keys: "k1 Current", target: foreign,
		want: turned{Settle, "k1 Current", "False SecretConflict", "NotReady", "Delivered", "", "", "30s"},
	}, {
		name: "the next key is published", spec: []edit{both}, phase: "Delivered", keys: "k1 Current",
		want: turned{Issue, "k1 Current", "True Issued", "Propagating", "Delivered", "a", "", ""},
	}, {
		name: "waits as long as it takes", spec: []edit{both}, phase: "Delivered", triggers: "a",
		keys: "k2 Pending, k1 Current", hand: "k2", behind: 1, waited: time.Hour,
		want: turned{Settle, "k2 Pending, k1 Current", "True Issued", "AwaitingAuthServers Propagating", "Delivered", "a", "", "30s"},
	}, {
		name: "is delivered", spec: []edit{both}, phase: "Delivered", triggers: "a", keys: "k2 Pending, k1 Current", hand: "k2",
		want: turned{Deliver, "k2 Pending, k1 Current", "True Issued", "", "Delivered", "a", "", ""},
	}, {
		name: "and shown again", spec: []edit{both}, phase: "Delivered", triggers: "a", keys: "k2 Pending, k1 Current", target: holds("k2"),
		want: turned{Record, "k2 Current, k1 Retiring 1h", "True Issued", "Propagating", "Present", "a", "", ""},
	}, {
		name: "killed between the intent and the deed, and then lost: it isn't", spec: []edit{after("48h")}, phase: "Deleting", keys: "k1 Current", target: Held{},
		want: turned{Settle, "k1 Current", "True Issued", "", "Delivered", "", "", ""},
	}, {
		name: "a Secret restored from a backup is taken for shown again", spec: []edit{after("48h")}, phase: "Delivered", keys: "k1 Current", target: holds("k1"),
		want: turned{Record, "k1 Current", "True Issued", "", "Present", "", "", ""},
	}, {
		name: "revoked", spec: []edit{after("48h"), revoked}, phase: "Delivered", keys: "k1 Current",
		want: turned{Settle, "k1 Current", "True Revoked", "", "None", "", "", ""},
	}})
}

// TestSecretOutdated: with no raw key left a change of spec.secret is reported, and
// never rotates.
func TestSecretOutdated(t *testing.T) {
	r := turn{spec: []edit{deletedAfter("48h")}, phase: "Delivered", keys: "k1 Current"}
	o := r.observed(t)
	o.Key.Spec.Secret.Labels = map[string]v1alpha1.LabelValue{"a": "b"}
	p := Decide(o)
	if c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionSecretOutdated); p.Step != Settle || c == nil || c.Status != metav1.ConditionTrue {
		t.Fatalf("%v, SecretOutdated is %+v", p.Step, c)
	}
	if got := turnedBy(p); got.ready != "True Issued" || got.keys != "k1 Current" {
		t.Errorf("%+v", got)
	}
	o.Key.Status, o.Key.Spec.Secret.Labels = p.Status, nil
	if c := meta.FindStatusCondition(Decide(o).Status.Conditions, v1alpha1.ConditionSecretOutdated); c != nil {
		t.Errorf("changed back, and %+v", c)
	}
}

// TestPreviousKeyInUse: what is said of use, and when a key ends by it.
func TestPreviousKeyInUse(t *testing.T) {
	whenUnused := rotation(v1alpha1.Rotation{Overlap: "20h", Retire: "WhenUnused"})
	row := func(name, keys, used string, unknown bool, want turned, spec ...edit) turn {
		return turn{name: name, spec: spec, keys: keys, used: used, unknown: unknown, target: holds("k2"), want: want}
	}
	turns(t, []turn{
		row("not used", "k2 Current, k1 Retiring 8h", "", false,
			turned{Settle, "k2 Current, k1 Retiring 8h", "True Issued", "NotInUse", "Present", "", "", "8h"}),
		row("used long ago", "k2 Current, k1 Retiring 8h", "k1 5h", false,
			turned{Settle, "k2 Current, k1 Retiring 8h", "True Issued", "NotInUse", "Present", "", "", "8h"}),
		row("used of late", "k2 Current, k1 Retiring 8h", "k1 5m", false,
			turned{Settle, "k2 Current, k1 Retiring 8h", "True Issued", "InUse", "Present", "", "", "55m"}),
		row("used of late, and ends soon", "k2 Current, k1 Retiring 40m", "k1 5m", false,
			turned{Settle, "k2 Current, k1 Retiring 40m", "True Issued", "EndsInUse", "Present", "", "", "40m"}),
		row("the current one's use is no matter", "k2 Current", "k2 5m", false,
			turned{Settle, "k2 Current", "True Issued", "", "Present", "", "", ""}),
		row("when unused: used of late", "k2 Current, k1 Retiring 32h", "k1 1h", false,
			turned{Settle, "k2 Current, k1 Retiring 32h", "True Issued", "NotInUse", "Present", "", "", "19h1m"}, whenUnused),
		row("when unused: not for the overlap", "k2 Current, k1 Retiring 32h", "k1 20h1m", false,
			turned{Settle, "k2 Current", "True Issued", "", "Present", "", "", ""}, whenUnused),
		row("when unused: to the minute", "k2 Current, k1 Retiring 32h", "k1 20h", false,
			turned{Settle, "k2 Current, k1 Retiring 32h", "True Issued", "NotInUse", "Present", "", "", "1m"}, whenUnused),
		row("when unused: never since it was replaced", "k2 Current, k1 Retiring 32h", "", false,
			turned{Settle, "k2 Current", "True Issued", "", "Present", "", "", ""}, whenUnused),
		row("when unused: not all tell", "k2 Current, k1 Retiring 32h", "", true,
			turned{Settle, "k2 Current, k1 Retiring 32h", "True Issued", "NotInUse", "Present", "", "", "1m"}, whenUnused),
		row("on time: unused or not", "k2 Current, k1 Retiring 32h", "", false,
			turned{Settle, "k2 Current, k1 Retiring 32h", "True Issued", "NotInUse", "Present", "", "", "32h"}),
	})
}

// TestLastUsed: written seldom.
func TestLastUsed(t *testing.T) {
	for _, row := range []struct {
		name, keys, used string
		before           time.Duration // how long ago, as status says; 0: never
		want             time.Duration
	}{
		{"the first time", "k1 Current", "k1 5m", 0, 5 * time.Minute},
		{"again within the hour", "k1 Current", "k1 5m", time.Hour, time.Hour},
		{"again an hour later", "k1 Current", "k1 5m", 65 * time.Minute, 5 * time.Minute},
		{"retiring, again within the minute", "k2 Current, k1 Retiring 8h", "k1 5m", 5*time.Minute + 59*time.Second, 5*time.Minute + 59*time.Second},
		{"retiring, again a minute later", "k2 Current, k1 Retiring 8h", "k1 5m", 6 * time.Minute, 5 * time.Minute},
		{"of a revoked key, for the record", "k1 Current", "k1 5m", 0, 5 * time.Minute},
		{"an old report", "k1 Current", "k1 5h", time.Hour, time.Hour},
		{"no report", "k1 Current", "", time.Hour, time.Hour},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := turn{keys: row.keys, used: row.used}
			o := r.observed(t)
			i := len(o.Key.Status.Keys) - 1
			o.Target = holds(nameOf(o.Key.Status.Keys[0].Digest))
			if strings.Contains(row.name, "revoked") {
				o.Key.Spec.State = v1alpha1.DesiredRevoked
			}
			if row.before != 0 {
				o.Key.Status.Keys[i].LastUsedAt = at(-row.before)
			}
			if got := Decide(o).Status.Keys[i].LastUsedAt; got == nil || start.Sub(got.Time) != row.want {
				t.Errorf("last used at %v, want %v", got, row.want)
			}
		})
	}
}

// TestExistingKey: imported, adopted, and whose it is.
func TestExistingKey(t *testing.T) {
	hash := func(s *v1alpha1.APIKeySpec) {
		s.ExistingKey = &v1alpha1.ExistingKey{SHA256: digestOf("h").String()[len("sha256:"):]}
	}
	trigger := rotation(v1alpha1.Rotation{Trigger: "a"})
	given := Given{Digest: digestOf("h").String(), Hashed: true}
	for _, row := range []struct {
		turn
		given     Given
		duplicate string
	}{
		{turn: turn{
			name: "by its hash: accepted at once, the trigger counts as observed", spec: []edit{hash, trigger},
			want: turned{Record, "h Current", "False Issuing", "Propagating", "None", "a", "", ""},
		}, given: given},
		{turn: turn{
			name: "it needs no Secret", spec: []edit{hash, trigger}, keys: "h Current", phase: "None", triggers: "a", target: foreign,
			want: turned{Settle, "h Current", "True Issued", "", "None", "a", "", ""},
		}},
		{turn: turn{
			name: "its rotation issues one of ours", spec: []edit{hash, trigger}, keys: "h Current", phase: "None",
			want: turned{Issue, "h Current", "True Issued", "Propagating", "None", "a", "", ""},
		}},
		{turn: turn{
			name: "which waits as long as it takes", spec: []edit{hash}, keys: "k2 Pending, h Current", phase: "None", hand: "k2", behind: 1, waited: time.Hour,
			want: turned{Settle, "k2 Pending, h Current", "True Issued", "AwaitingAuthServers Propagating", "None", "", "", "30s"},
		}},
		{turn: turn{
			name: "and then it retires", spec: []edit{hash}, keys: "k2 Pending, h Current", phase: "None", target: holds("k2"),
			want: turned{Record, "k2 Current, h Retiring 1h", "True Issued", "Propagating", "Present", "", "", ""},
		}},
		{turn: turn{
			name: "after its rotation a lost key is lost", spec: []edit{hash}, keys: "k2 Current",
			want: turned{Issue, "k2 Current", "False Issuing", "Propagating", "Present", "", "", ""},
		}},
		{turn: turn{
			name: "somebody older has it", spec: []edit{hash},
			want: turned{Settle, "", "False DuplicateKey", "", "None", "", "", "30s"},
		}, given: given, duplicate: "shop/older"},
		{turn: turn{
			name: "somebody older has it too", spec: []edit{hash}, keys: "h Current", phase: "None",
			want: turned{Settle, "h Current", "False DuplicateKey", "", "None", "", "", ""},
		}, duplicate: "shop/older"},
		{turn: turn{
			name: "an orphan is adopted, the trigger counts as observed", spec: []edit{trigger}, target: orphanHolding("k1"),
			want: turned{Record, "k1 Current", "", "Propagating", "Present", "a", "", ""},
		}},
		{turn: turn{
			name: "and then made ours", keys: "k1 Current", target: orphanHolding("k1"),
			want: turned{Update, "k1 Current", "True Issued", "", "Present", "", "", ""},
		}},
		{turn: turn{
			name: "not while its API can't be read", spec: []edit{opens("shop", "apis")}, problem: noAPI, target: orphanHolding("k1"),
			want: turned{Settle, "", "False APINotFound", "", "None", "", "", ""},
		}},
		{turn: turn{
			name: "not by one that has a key", keys: "k2 Current", target: orphanHolding("k1"),
			want: turned{Settle, "k2 Current", "False SecretConflict", "", "Present", "", "", "30s"},
		}},
		{turn: turn{
			name: "not if somebody older has its key", target: orphanHolding("k1"),
			want: turned{Settle, "", "False DuplicateKey", "", "None", "", "", "30s"},
		}, duplicate: "shop/older"},
		{turn: turn{
			name: "adopted and revoked before it was made ours", spec: []edit{revoked}, keys: "k1 Current", target: orphanHolding("k1"),
			want: turned{DeleteTarget, "k1 Current", "True Issued", "", "Present", "", "", ""},
		}},
		{turn: turn{
			name: "not by a revoked one", spec: []edit{revoked}, target: orphanHolding("k1"),
			want: turned{Settle, "", "True Revoked", "", "None", "", "", ""},
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := row.observed(t)
			o.Given, o.Duplicate = row.given, row.duplicate
			row.checkPlan(t, o)
		})
	}
}

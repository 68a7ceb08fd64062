package apikey

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/hack/gitops"
)

// What those who wait for an APIKey make of it: kstatus and Flux in the same words,
// and Argo CD.
var (
	isCurrent   = [2]string{"Current", "Healthy"}
	isSuspended = [2]string{"Current", "Suspended"}
	inProgress  = [2]string{"InProgress", "Progressing"}
	hasFailed   = [2]string{"Failed", "Degraded"}
)

// waitedFor is a row: what is there, and what Decide makes of it.
type waitedFor struct {
	name string
	turn turn
	also func(*Observed)
	// ready is Ready, and says are the reasons of the other conditions.
	ready, says string
	want        [2]string
}

func problemOf(reason string) *Problem { return &Problem{Reason: reason, Message: "what to do"} }

// of is a key of an API.
func of(spec v1alpha1.ProtectedAPISpec) func(*Observed) {
	return func(o *Observed) {
		o.Key.Spec.APIRef = &v1alpha1.ProtectedAPIReference{Name: "api"}
		o.API = &spec
	}
}

func duplicateOf(name string) func(*Observed) { return func(o *Observed) { o.Duplicate = name } }

var (
	readOnly = of(v1alpha1.ProtectedAPISpec{Scopes: []v1alpha1.ScopeDeclaration{{Name: "READ"}}})
	fenced   = of(v1alpha1.ProtectedAPISpec{KeyLimits: &v1alpha1.KeyLimits{AllowedIPs: v1alpha1.Required}})
)

var waitedForRows = []waitedFor{
	{"nothing but a spec", turn{}, nil, "False Issuing", "Propagating", inProgress},
	{"not all auth servers accept the first key", turn{keys: "k1 Pending", hand: "k1", behind: 1}, nil, "False Issuing", "Propagating", inProgress},
	{"issued", turn{keys: "k1 Current", target: holds("k1")}, nil, "True Issued", "", isCurrent},
	{"lost", turn{keys: "k1 Current", target: noKey}, nil, "False Issuing", "Propagating", inProgress},
	{"imported by its hash", turn{}, func(o *Observed) { o.Given = Given{Digest: digestOf("k1").String(), Hashed: true} }, "False Issuing", "Propagating", inProgress},
	{"suspended", turn{spec: []edit{suspended}, keys: "k1 Current", target: holds("k1")}, nil, "True Suspended", "", isSuspended},
	{"revoked", turn{spec: []edit{revoked}, keys: "k1 Current"}, nil, "True Revoked", "", isCurrent},
	{"revoked, its Secret still going", turn{spec: []edit{revoked}, keys: "k1 Current", target: terminating(holds("k1"))}, nil, "False SecretTerminating", "", inProgress},
	{"expired", turn{spec: []edit{expires(0)}, keys: "k1 Current", target: holds("k1")}, nil, "False Expired", "", hasFailed},
	{"expired before it was issued", turn{spec: []edit{expires(-time.Hour)}}, nil, "False Expired", "", hasFailed},

	{"no such API", turn{problem: noAPI}, nil, "False APINotFound", "", inProgress},
	{"no such API any more", turn{keys: "k1 Current", target: holds("k1"), problem: noAPI}, nil, "False APINotFound", "", inProgress},
	{"an API that can't be used", turn{problem: problemOf("InvalidAPI")}, nil, "False InvalidAPI", "", hasFailed},
	{"an API that doesn't let it in", turn{problem: problemOf("NamespaceNotAllowed")}, nil, "False NamespaceNotAllowed", "", hasFailed},
	{"no environment of the API", turn{problem: problemOf("InvalidEnvironment")}, nil, "False InvalidEnvironment", "", hasFailed},
	{"a template that can't be rendered", turn{keys: "k1 Current", target: holds("k1"), problem: problemOf("InvalidTemplate")}, nil, "False InvalidTemplate", "", hasFailed},
	{"no scope of the API", turn{spec: []edit{scoped("WRITE")}}, readOnly, "False UnknownScope", "", hasFailed},
	{"no scope of the API any more", turn{spec: []edit{scoped("WRITE")}, keys: "k1 Current", target: holds("k1")}, readOnly, "False UnknownScope", "", hasFailed},
	{"over a limit", turn{}, fenced, "False LimitExceeded", "LimitExceeded", hasFailed},
	{"over a limit since it was issued", turn{keys: "k1 Current", target: holds("k1")}, fenced, "True Issued", "LimitExceeded", isCurrent},

	{"nothing to import", turn{problem: problemOf("ExistingKeyNotFound")}, nil, "False ExistingKeyNotFound", "", inProgress},
	{"not to be imported", turn{problem: problemOf("ImportNotAllowed")}, nil, "False ImportNotAllowed", "", hasFailed},
	{"too weak to be imported", turn{problem: problemOf("WeakKey")}, nil, "False WeakKey", "", hasFailed},
	{"the key of another", turn{}, duplicateOf("shop/older"), "False DuplicateKey", "", hasFailed},
	{"the key of another, accepted", turn{keys: "k1 Current", target: holds("k1")}, duplicateOf("shop/older"), "False DuplicateKey", "", hasFailed},

	{"the Secret of somebody else", turn{target: foreign}, nil, "False SecretConflict", "", hasFailed},
	{"the Secret of a former APIKey", turn{target: former}, nil, "False SecretTerminating", "", inProgress},
	{"too many versions", turn{keys: "k4 Current, k3 Retiring 1h, k2 Retiring 1h, k1 Retiring 1h", target: noKey}, nil, "False TooManyVersions", "NotInUse", inProgress},
	{"refused by the API server", turn{keys: "k1 Pending", refused: true}, nil, "False WriteFailed", "Propagating", inProgress},

	{"no auth server", turn{keys: "k1 Current", target: holds("k1")}, func(o *Observed) { o.Spread.Live, o.Spread.Seen = 0, 0 }, "True Issued", "NoAuthServers", isCurrent},
	{"not seen by all auth servers", turn{keys: "k1 Current", target: holds("k1"), behind: 1}, nil, "True Issued", "Propagating", isCurrent},
	{"not seen by all auth servers for long", turn{keys: "k1 Current", target: holds("k1"), behind: 1}, func(o *Observed) { o.ChangedAt = start.Add(-time.Hour) }, "True Issued", "Lagging", isCurrent},
	{"suspended, and not seen by all", turn{spec: []edit{suspended}, keys: "k1 Current", target: holds("k1"), behind: 1}, nil, "True Suspended", "Propagating", isSuspended},

	{"the next key is published", turn{spec: []edit{rotation(v1alpha1.Rotation{Interval: "24h"})}, keys: "k1 Current", target: holds("k1")}, seenBefore, "True Issued", "Propagating", isCurrent},
	{"the next key waits for auth servers", turn{keys: "k2 Pending, k1 Current", target: holds("k1"), hand: "k2", behind: 1}, nil, "True Issued", "AwaitingAuthServers Propagating", isCurrent},
	{"the next key waits for the overlap", turn{spec: []edit{rotation(v1alpha1.Rotation{Trigger: "b"})}, keys: "k2 Current, k1 Retiring 1h", target: holds("k2")}, nil, "True Issued", "NotInUse OverlapRunning", isCurrent},
	{"the next key waits for the API", turn{spec: []edit{rotation(v1alpha1.Rotation{Trigger: "b"})}, keys: "k1 Current", target: holds("k1"), problem: noAPI}, nil, "False APINotFound", "NotReady", inProgress},
	{"the previous key is used", turn{keys: "k2 Current, k1 Retiring 4h", target: holds("k2"), used: "k1 1m"}, nil, "True Issued", "InUse", isCurrent},
	{"the previous key is used, and ends", turn{keys: "k2 Current, k1 Retiring 10m", target: holds("k2"), used: "k1 1m"}, nil, "True Issued", "EndsInUse", isCurrent},
	{"shown once", turn{spec: []edit{deletedAfter("1m")}, keys: "k1 Current", phase: v1alpha1.SecretDelivered}, nil, "True Issued", "", isCurrent},
	{"changed since it was shown", turn{spec: []edit{deletedAfter("1m")}, keys: "k1 Current", phase: v1alpha1.SecretDelivered}, func(o *Observed) { o.Key.Status.DeliveredSecret = "sha256:of another spec.secret" }, "True Issued", "Delivered", isCurrent},
}

// seenBefore is a spec that was there when the controller last looked.
func seenBefore(o *Observed) { o.Key.Status.ObservedGeneration = generation }

// TestNothingSaidOfANewSpec: a write that doesn't judge a new spec leaves the APIKey in
// progress, whatever was said of the one before.
func TestNothingSaidOfANewSpec(t *testing.T) {
	judges, kind := gitops.Load(t, "../../config/samples/gitops"), v1alpha1.GroupVersion.WithKind("APIKey")
	r := waitedFor{turn: turn{spec: []edit{rotation(v1alpha1.Rotation{Trigger: "b"})}, keys: "k1 Current", target: holds("k1")}, also: func(o *Observed) {
		o.Key.Status.ObservedGeneration = generation - 1
	}}
	k := r.decided(t)
	if got := judges.Judge(t, k, kind); got.KStatus != "InProgress" || got.Argo != "Progressing" {
		t.Errorf("got %+v", got)
	}
}

// decided is the APIKey with the status that Decide comes to.
func (r waitedFor) decided(t *testing.T) *v1alpha1.APIKey {
	t.Helper()
	o := r.turn.observed(t)
	if r.also != nil {
		r.also(&o)
	}
	for range 4 {
		p := Decide(o)
		settled := p.Step != Settle || p.settles(o)
		o.Key = o.Key.DeepCopy()
		if o.Key.Status = p.Status; settled {
			return o.Key
		}
	}
	t.Fatal("it doesn't settle")
	return nil
}

// TestWaitedFor: kstatus, Flux and Argo CD tell what is as declared from what is on
// its way, and from what only a person can mend, whatever else the conditions say.
func TestWaitedFor(t *testing.T) {
	judges, kind := gitops.Load(t, "../../config/samples/gitops"), v1alpha1.GroupVersion.WithKind("APIKey")
	for _, r := range waitedForRows {
		t.Run(r.name, func(t *testing.T) {
			k := r.decided(t)
			if got, says := readyOf(k.Status), strings.Join(saidBy(k.Status), " "); got != r.ready || says != r.says {
				t.Errorf("the conditions are %q, %q, want %q, %q", got, says, r.ready, r.says)
			}
			want := gitops.Verdict{KStatus: r.want[0], Flux: r.want[0], Argo: r.want[1]}
			ready := meta.FindStatusCondition(k.Status.Conditions, v1alpha1.ConditionReady)
			want.Message = ready.Reason + ": " + ready.Message
			if got := judges.Judge(t, k, kind); got != want {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
			// Whatever it was, since the spec was edited it is on its way.
			k.Generation++
			want = gitops.Verdict{KStatus: "InProgress", Flux: "InProgress", Argo: "Progressing", Message: "waiting for apikey-operator"}
			if got := judges.Judge(t, k, kind); got != want {
				t.Errorf("edited: got %+v\nwant %+v", got, want)
			}
			k.DeletionTimestamp = &metav1.Time{Time: start}
			if got := judges.Judge(t, k, kind); got.KStatus != "Terminating" || got.Argo != "Progressing" {
				t.Errorf("deleted: got %+v", got)
			}
		})
	}
}

// TestNotLookedAtYet: what the controller hasn't seen isn't ready: the API server
// gives it a status that says so.
func TestNotLookedAtYet(t *testing.T) {
	w := newWorld(t)
	w.create("key")
	got := gitops.Load(t, "../../config/samples/gitops").Judge(t, w.key("key"), v1alpha1.GroupVersion.WithKind("APIKey"))
	if got.KStatus != "InProgress" || got.Flux == "Current" || got.Argo != "Progressing" {
		t.Errorf("got %+v", got)
	}
}

// TestMendedIsNotStalled: what was stalled is no longer, as soon as it is mended.
func TestMendedIsNotStalled(t *testing.T) {
	for reason := range stalls {
		o := rule{keys: "k1 Current", target: holds("k1"), ready: "False " + reason}.observed(t)
		setStalled(&o.Key.Status, reason)
		if p := Decide(o); readyOf(p.Status) != "True Issued" || meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionStalled) != nil {
			t.Errorf("%s: %s, Stalled is %q", reason, readyOf(p.Status), reasonOf(&p.Status, v1alpha1.ConditionStalled))
		}
	}
}

func setStalled(s *v1alpha1.APIKeyStatus, reason string) {
	meta.SetStatusCondition(&s.Conditions, metav1.Condition{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, LastTransitionTime: earlier, Reason: reason, Message: "before"})
}

// TestEveryReasonIsWaitedFor: the table above has every reason of Ready that there is.
func TestEveryReasonIsWaitedFor(t *testing.T) {
	rows := map[string]bool{}
	for _, r := range waitedForRows {
		_, reason, _ := strings.Cut(r.ready, " ")
		rows[reason] = true
	}
	reasons := readyReasons(t)
	for reason := range reasons {
		if !rows[reason] {
			t.Errorf("no row is %s", reason)
		}
	}
	for reason := range rows {
		if !reasons[reason] {
			t.Errorf("%s is no reason of Ready", reason)
		}
	}
	for reason := range stalls {
		if !reasons[reason] {
			t.Errorf("%s stalls, and is no reason of Ready", reason)
		}
	}
}

// readyReasons are the constants that api/v1alpha1 declares as reasons of Ready.
func readyReasons(t *testing.T) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../api/v1alpha1/apikey_conditions.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]bool{}
	for _, d := range file.Decls {
		block, ok := d.(*ast.GenDecl)
		if !ok || !strings.HasPrefix(block.Doc.Text(), "Reasons of Ready on an APIKey") {
			continue
		}
		for _, spec := range block.Specs {
			reason, err := strconv.Unquote(spec.(*ast.ValueSpec).Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			reasons[reason] = true
		}
	}
	if len(reasons) < 20 {
		t.Fatalf("api/v1alpha1 declares %d reasons of Ready: they aren't found any more", len(reasons))
	}
	return reasons
}

package presence

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/apikey-operator/apikey-operator/internal/key"
)

var start = time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC)

// useOf is a use of a made-up digest, some minutes after start.
func useOf(i, minute int) Use {
	return Use{Beginning: fmt.Sprintf("%016x", i+1), At: start.Add(time.Duration(minute) * time.Minute).Local()}
}

func TestReportsAreReadAsWritten(t *testing.T) {
	for name, want := range map[string]Report{
		"joining":            {Identity: "host-1-0a0b0c0d", Renewed: start},
		"reading":            {Identity: "host-1-0a0b0c0d", Renewed: start.Add(1234567 * time.Microsecond), Seen: "123456789012345678901"},
		"reading namespaces": {Identity: "host-1-0a0b0c0d", Renewed: start, Seen: "7", SeenIn: map[string]string{"shop": "8", "apis": "7"}},
		"joining, of one":    {Identity: "host-1-0a0b0c0d", Renewed: start, SeenIn: map[string]string{"shop": ""}},
		"with use":           {Identity: "host-1-0a0b0c0d", Renewed: start, Seen: "1", Used: []Use{useOf(7, 1), useOf(3, -900), useOf(9, 1<<20)}},
	} {
		l := want.Lease("system")
		if got := Read(l); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: read %+v, want %+v", name, got, want)
		}
		if l.Namespace != "system" || l.Name != "apikey-operator-authserver-host-1-0a0b0c0d" || l.Labels["apikey-operator.dev/component"] != "authserver" ||
			*l.Spec.HolderIdentity != want.Identity || *l.Spec.LeaseDurationSeconds != 15 || !l.Spec.RenewTime.Time.Equal(want.Renewed) {
			t.Errorf("%s: the Lease is %+v", name, l)
		}
		if _, seen := l.Annotations["apikey-operator.dev/seen"]; seen != (want.Seen != "") {
			t.Errorf("%s: the annotations are %v", name, l.Annotations)
		}
		if _, seenIn := l.Annotations["apikey-operator.dev/seen-in"]; seenIn != (want.SeenIn != nil) {
			t.Errorf("%s: the annotations are %v", name, l.Annotations)
		}
	}
}

// TestWhatOtherVersionsRead: what an auth server of all namespaces writes is what it
// has always been, and of one that watches some a controller that doesn't know of that
// reads the position that it has in all of them.
func TestWhatOtherVersionsRead(t *testing.T) {
	used := []Use{{Beginning: "0123456789abcdef", At: time.Unix(5*60, 0)}}
	for name, tt := range map[string]struct {
		report Report
		want   map[string]string // annotations
	}{
		"all":             {Report{Seen: "7", Used: used}, map[string]string{seenAnnotation: "7", usedAnnotation: "0123456789abcdef=5"}},
		"all, joining":    {Report{}, map[string]string{}},
		"some":            {Report{Seen: "7", SeenIn: map[string]string{"b": "9", "a": "7"}}, map[string]string{seenAnnotation: "7", "apikey-operator.dev/seen-in": "a=7,b=9"}},
		"some, one joins": {Report{SeenIn: map[string]string{"b": "9", "a": ""}}, map[string]string{"apikey-operator.dev/seen-in": "a=,b=9"}},
	} {
		tt.report.Identity, tt.report.Renewed = "pod", start
		l := tt.report.Lease("system")
		if !reflect.DeepEqual(l.Annotations, tt.want) || l.Name != "apikey-operator-authserver-pod" || !reflect.DeepEqual(l.Labels, Labels()) {
			t.Errorf("%s: the Lease is %s with annotations %v and labels %v, want annotations %v", name, l.Name, l.Annotations, l.Labels, tt.want)
		}
		delete(l.Annotations, seenInAnnotation) // which it doesn't look at
		if got := Read(l); got.Seen != tt.report.Seen || got.SeenIn != nil {
			t.Errorf("%s: an old controller reads %+v", name, got)
		}
	}
}

// TestNamespacesThatCannotBeRead are none: a server counts as one that watches all,
// so that every key waits for it.
func TestNamespacesThatCannotBeRead(t *testing.T) {
	many := map[string]string{}
	for i := range MaxNamespaces {
		many[fmt.Sprint("n", i)] = ""
	}
	if got := Read((Report{SeenIn: many}).Lease("system")); !reflect.DeepEqual(got.SeenIn, many) {
		t.Errorf("of %d namespaces %d are read", len(many), len(got.SeenIn))
	}
	many["another"] = "1"
	tooMany := (Report{SeenIn: many}).Lease("system").Annotations[seenInAnnotation]
	for _, text := range []string{
		"", ",", "=", "a", "a=7,", ",a=7", "=7", "a=7,a=8", "a=7,a=7", "a=07", "a=0", "a=x", "a=7=8", "a= 7", "A=7", "a.b=7", "a/b=7", "-a=7",
		strings.Repeat("a", 64) + "=7", "a=" + strings.Repeat("9", 33), tooMany,
	} {
		l := (Report{Seen: "5"}).Lease("system")
		l.Annotations[seenInAnnotation] = text
		if got := Read(l); got.SeenIn != nil || got.Seen != "5" {
			t.Errorf("%.40q is read as %v, at %s", text, got.SeenIn, got.Seen)
		}
	}
}

func TestAReportIsBounded(t *testing.T) {
	r := Report{Identity: "a"}
	for i := range 2000 {
		r.Used = append(r.Used, useOf(i, i))
	}
	l := r.Lease("system")
	if got := Used(l); !reflect.DeepEqual(got, r.Used[:512]) {
		t.Errorf("%d uses are read, want the first 512", len(got))
	}
	l.Annotations[usedAnnotation] = strings.Repeat("0123456789abcdef=5,", 600)
	if got := Used(l); len(got) != 512 {
		t.Errorf("of a Lease that others wrote %d uses are read, want 512", len(got))
	}
}

func TestGarbageCountsAsNotSaid(t *testing.T) {
	one := []Use{{Beginning: "0123456789abcdef", At: time.Unix(5*60, 0)}}
	tests := map[string]struct {
		seen, used string
		want       Report
	}{
		"nothing":                 {"", "", Report{}},
		"no number":               {"abc", "", Report{}},
		"zero":                    {"0", "", Report{}},
		"leading zero":            {"07", "", Report{}},
		"negative":                {"-7", "", Report{}},
		"fraction":                {"7.5", "", Report{}},
		"spaces":                  {" 7", "", Report{}},
		"endless":                 {strings.Repeat("9", 4000), "", Report{}},
		"good":                    {"7", "0123456789abcdef=5", Report{Seen: "7", Used: one}},
		"good among others":       {"", ",=,x=5,0123456789abcdef=5,0123456789abcdef", Report{Used: one}},
		"upper case":              {"", "0123456789ABCDEF=5", Report{}},
		"too short, too long":     {"", "0123456789abcde=5,0123456789abcdef0=5", Report{}},
		"no hexadecimal":          {"", "0123456789abcdeg=5", Report{}},
		"no minute":               {"", "0123456789abcdef=,0123456789abcdef=x,0123456789abcdef=0", Report{}},
		"minutes out of bounds":   {"", "0123456789abcdef=-1,0123456789abcdef=4294967296", Report{}},
		"more than one is in one": {"", "0123456789abcdef=5=6", Report{}},
	}
	for name, tt := range tests {
		l := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{seenAnnotation: tt.seen, usedAnnotation: tt.used}}}
		if got := Read(l); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: read %+v, want %+v", name, got, tt.want)
		}
	}
}

// Whatever is in a Lease can be read, and what was read is read again.
func FuzzRead(f *testing.F) {
	f.Add("apikey-operator-authserver-a", "7", "a=7,b=", "0123456789abcdef=5")
	f.Add("", "007", "=,=", "=,,=")
	f.Fuzz(func(t *testing.T, name, seen, in, used string) {
		l := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{seenAnnotation: seen, seenInAnnotation: in, usedAnnotation: used}}}
		r := Read(l)
		if r.Seen != "" && r.Seen != seen || len(r.Used) > maxUses {
			t.Errorf("read %+v", r)
		}
		again := Read(r.Lease("system"))
		if again.Seen != r.Seen || !reflect.DeepEqual(again.SeenIn, r.SeenIn) || !reflect.DeepEqual(again.Used, r.Used) {
			t.Errorf("read %+v, and written anew %+v", r, again)
		}
	})
}

func TestRevisionsAreComparedAsNumbers(t *testing.T) {
	for _, tt := range []struct {
		position, revision string
		reached, newer     bool
	}{
		{"7", "7", true, false}, {"8", "7", true, true}, {"6", "7", false, false},
		{"10", "9", true, true}, {"9", "10", false, false},
		{"99999999999999999999", "100000000000000000000", false, false}, {"100000000000000000000", "99999999999999999999", true, true},
		{"", "", false, false}, {"7", "", false, false}, {"", "7", false, false}, {"x", "x", false, false}, {"0", "0", false, false},
	} {
		if got := reached(tt.position, tt.revision); got != tt.reached {
			t.Errorf("%q has reached %q: %v", tt.position, tt.revision, got)
		}
		if got := newer(tt.position, tt.revision); got != tt.newer {
			t.Errorf("%q is newer than %q: %v", tt.position, tt.revision, got)
		}
	}
}

func TestIdentities(t *testing.T) {
	for hostname, want := range map[string]string{
		"apikey-operator-authserver-5d9c-x7x2k": "apikey-operator-authserver-5d9c-x7x2k-01020304",
		"IP-10-0-0-1.ec2.internal":              "ip-10-0-0-1-ec2-internal-01020304",
		"_odd_":                                 "odd-01020304",
		"":                                      "01020304",
		"ü":                                     "01020304",
		strings.Repeat("a", 200):                strings.Repeat("a", 54) + "-01020304",
		strings.Repeat("a", 53) + ".b":          strings.Repeat("a", 53) + "-01020304",
	} {
		got, err := NewIdentity(hostname, bytes.NewReader([]byte{1, 2, 3, 4}))
		if err != nil || got != want {
			t.Errorf("%q: got %q (%v), want %q", hostname, got, err, want)
		}
		if problems := append(validation.IsDNS1123Label(got), validation.IsDNS1123Subdomain(namePrefix+got)...); len(problems) > 0 {
			t.Errorf("%q: %q", hostname, problems)
		}
	}
	if _, err := NewIdentity("host", bytes.NewReader(nil)); err == nil {
		t.Error("an identity without anything random")
	}
}

func TestBeginnings(t *testing.T) {
	d := key.NewRaw("raw").Digest()
	if got, want := Beginning(d.String()), d.String()[len("sha256:"):][:16]; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, text := range []string{"", "sha256:", "0123456789abcdef"} {
		if got := Beginning(text); got != "" {
			t.Errorf("%q begins with %q", text, got)
		}
	}
}

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
		"joining":  {Identity: "host-1-0a0b0c0d", Renewed: start},
		"reading":  {Identity: "host-1-0a0b0c0d", Renewed: start.Add(1234567 * time.Microsecond), Seen: "123456789012345678901"},
		"with use": {Identity: "host-1-0a0b0c0d", Renewed: start, Seen: "1", Used: []Use{useOf(7, 1), useOf(3, -900), useOf(9, 1<<20)}},
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
	f.Add("apikey-operator-authserver-a", "7", "0123456789abcdef=5")
	f.Add("", "007", "=,,=")
	f.Fuzz(func(t *testing.T, name, seen, used string) {
		l := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{seenAnnotation: seen, usedAnnotation: used}}}
		r := Read(l)
		if r.Seen != "" && r.Seen != seen || len(r.Used) > maxUses {
			t.Errorf("read %+v", r)
		}
		again := Read(r.Lease("system"))
		if again.Seen != r.Seen || !reflect.DeepEqual(again.Used, r.Used) {
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

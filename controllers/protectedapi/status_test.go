package protectedapi

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

var now = time.Date(2026, 11, 3, 9, 41, 7, 5, time.UTC)

func TestStatus(t *testing.T) {
	winner := keyring.Name{Namespace: "apis", Name: "older"}
	accepted := map[string]string{
		"Ready":              "True Accepted: auth servers serve this API",
		"CredentialsRemoved": "True HeadersRemoved: credentials are read from headers, which the gateway removes",
	}
	for _, tc := range []struct {
		name  string
		hosts []v1alpha1.Hostname
		api   keyring.API
		lost  []keyring.HostVerdict
		want  map[string]string // beside accepted
	}{
		{name: "no hosts", want: map[string]string{}},
		{
			name: "hosts that are its own", hosts: []v1alpha1.Hostname{"a.dev"},
			want: map[string]string{"HostsAccepted": "True Granted: every host leads to this API"},
		},
		{
			name: "a host of another", hosts: []v1alpha1.Hostname{"a.dev"}, lost: []keyring.HostVerdict{{Host: "a.dev", Winner: &winner}},
			want: map[string]string{"HostsAccepted": "False HostConflict: a.dev is held by ProtectedAPI apis/older"},
		},
		{
			name: "a host that isn't granted, and one of another", hosts: []v1alpha1.Hostname{"a.dev", "b.dev"},
			lost: []keyring.HostVerdict{{Host: "b.dev"}, {Host: "a.dev", Winner: &winner}},
			want: map[string]string{"HostsAccepted": "False NotGranted: b.dev is not granted to this namespace: ask the operator for --host-claims; a.dev is held by ProtectedAPI apis/older"},
		},
		{
			name: "credentials that can't be removed",
			api:  keyring.API{Credentials: []keyring.Credential{{Place: keyring.Bearer}, {Place: keyring.Query, Name: "api_key"}, {Place: keyring.Cookie, Name: "k"}}},
			want: map[string]string{"CredentialsRemoved": "False QueryOrCookie: the upstream sees raw keys sent as query parameter api_key, cookie k"},
		},
		{
			name: "a selector that can't be read", api: keyring.API{Err: compile.SelectorError{Err: errors.New("no operator")}},
			want: map[string]string{"Ready": "False InvalidSelector: " + compile.SelectorError{Err: errors.New("no operator")}.Error() + "; auth servers serve it as it was before, and those that never saw it so answer 503"},
		},
		{
			name: "a selector of labels that can't be known", api: keyring.API{Err: compile.SelectorError{Err: fmt.Errorf("%w: the operator runs with --namespaces", compile.ErrLabelsUnknown)}},
			want: map[string]string{"Ready": "False InvalidSelector: spec.allowedNamespaces.selector: can't be evaluated: the operator runs with --namespaces; until then nobody is let in: auth servers answer 503"},
		},
		{
			name: "a spec that can't be used", api: keyring.API{Err: errors.New("spec.keyFormat: too weak")},
			want: map[string]string{"Ready": "False InvalidSpec: spec.keyFormat: too weak; auth servers serve it as it was before, and those that never saw it so answer 503"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			api := &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Generation: 7}, Spec: v1alpha1.ProtectedAPISpec{Hosts: tc.hosts}}
			got := status(observed{api: api, compiled: &tc.api, lost: tc.lost, attached: 3, now: now})
			if got.ObservedGeneration != 7 || got.AttachedKeys == nil || *got.AttachedKeys != 3 {
				t.Errorf("generation %d, keys %v, want 7 and 3", got.ObservedGeneration, got.AttachedKeys)
			}
			want := map[string]string{}
			for _, m := range []map[string]string{accepted, tc.want} {
				for name, text := range m {
					want[name] = text
				}
			}
			if text, failed := strings.CutPrefix(want["Ready"], "False "); failed {
				want["Stalled"] = "True " + text
			}
			for _, c := range got.Conditions {
				if text := string(c.Status) + " " + c.Reason + ": " + c.Message; text != want[c.Type] {
					t.Errorf("%s is %q, want %q", c.Type, text, want[c.Type])
				}
				if c.ObservedGeneration != 7 || !c.LastTransitionTime.Time.Equal(now.Truncate(time.Second)) {
					t.Errorf("%s is of generation %d and time %v", c.Type, c.ObservedGeneration, c.LastTransitionTime)
				}
				delete(want, c.Type)
			}
			if len(want) > 0 {
				t.Errorf("missing conditions: %v", want)
			}
		})
	}
}

func TestStatusKeepsTheTimeOfWhatStays(t *testing.T) {
	api := &v1alpha1.ProtectedAPI{Spec: v1alpha1.ProtectedAPISpec{Hosts: []v1alpha1.Hostname{"a.dev"}}}
	api.Status = status(observed{api: api, compiled: &keyring.API{}, now: now})
	later := now.Add(time.Hour)
	api.Status = status(observed{api: api, compiled: &keyring.API{}, lost: []keyring.HostVerdict{{Host: "a.dev"}}, now: later})
	for _, c := range api.Status.Conditions {
		want := now
		if c.Type == v1alpha1.ConditionHostsAccepted {
			want = later
		}
		if !c.LastTransitionTime.Time.Equal(want.Truncate(time.Second)) {
			t.Errorf("%s changed at %v, want %v", c.Type, c.LastTransitionTime, want)
		}
	}
	api.Spec.Hosts = nil
	if s := status(observed{api: api, compiled: &keyring.API{}, now: later}); len(s.Conditions) != 2 {
		t.Errorf("without hosts there are %d conditions, want Ready and CredentialsRemoved", len(s.Conditions))
	}
}

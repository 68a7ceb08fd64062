package rights

import (
	"reflect"
	"strings"
	"testing"
)

const manifest = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: all}
rules:
- {apiGroups: [""], resources: [secrets], verbs: [get, delete]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: own, namespace: system}
rules:
- {apiGroups: [coordination.k8s.io], resources: [leases], resourceNames: [leader], verbs: [update]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: all}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: all}
subjects: [{kind: ServiceAccount, name: controller, namespace: system}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: own, namespace: system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: own}
subjects: [{kind: ServiceAccount, name: controller, namespace: system}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: others, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: own}
subjects: [{kind: ServiceAccount, name: controller, namespace: system}]
`

const log = `{"verb":"get","user":{"username":"system:serviceaccount:system:controller"},"objectRef":{"resource":"secrets","namespace":"shop","name":"s","apiVersion":"v1"},"responseStatus":{"code":200}}
{"verb":"delete","user":{"username":"somebody"},"objectRef":{"resource":"secrets","namespace":"shop","name":"s"},"responseStatus":{"code":200}}
{"verb":"update","user":{"username":"system:serviceaccount:system:controller"},"objectRef":{"resource":"leases","apiGroup":"coordination.k8s.io","namespace":"system","name":"leader"},"responseStatus":{"code":200}}
{"verb":"update","user":{"username":"system:serviceaccount:system:controller"},"objectRef":{"resource":"apikeys","subresource":"status","apiGroup":"apikey-operator.dev","namespace":"shop","name":"k"},"responseStatus":{"code":403}}
{"verb":"get","user":{"username":"system:serviceaccount:system:controller"},"requestURI":"/healthz"}
`

func TestRights(t *testing.T) {
	rights, err := Granted(manifest, "system", "controller")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"all: get secrets everywhere", "all: delete secrets everywhere", "own: update leases.coordination.k8s.io leader in system"}
	if got := texts(rights); !reflect.DeepEqual(got, want) {
		t.Errorf("granted are %q, want %q", got, want)
	}
	requests, err := Asked(strings.NewReader(log), "system:serviceaccount:system:controller")
	if err != nil {
		t.Fatal(err)
	}
	if len(requests) != 3 || requests[2] != (Request{"update", "apikey-operator.dev", "apikeys/status", "shop", "k", 403}) {
		t.Errorf("asked were %v", requests)
	}
	if got, want := texts(Unused(rights, requests)), []string{"all: delete secrets everywhere"}; !reflect.DeepEqual(got, want) {
		t.Errorf("unused are %q, want %q", got, want)
	}
	if none, err := Granted(manifest, "system", "other"); err != nil || len(none) != 0 {
		t.Errorf("granted to another are %v (%v)", none, err)
	}
}

// TestUses: a right elsewhere, or on other objects, isn't used.
func TestUses(t *testing.T) {
	q := Request{Verb: "update", Group: "g", Resource: "r", Namespace: "n", Name: "x"}
	for _, tc := range []struct {
		name  string
		right Right
		want  bool
	}{
		{"everywhere", Right{Group: "g", Resource: "r", Verb: "update"}, true},
		{"there", Right{Namespace: "n", Group: "g", Resource: "r", Verb: "update"}, true},
		{"elsewhere", Right{Namespace: "m", Group: "g", Resource: "r", Verb: "update"}, false},
		{"that object", Right{Group: "g", Resource: "r", Verb: "update", Names: []string{"y", "x"}}, true},
		{"another object", Right{Group: "g", Resource: "r", Verb: "update", Names: []string{"y"}}, false},
		{"another verb", Right{Group: "g", Resource: "r", Verb: "patch"}, false},
		{"another group", Right{Resource: "r", Verb: "update"}, false},
		{"its subresource", Right{Group: "g", Resource: "r/status", Verb: "update"}, false},
	} {
		if got := q.Uses(tc.right); got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
	}
}

func texts(rights []Right) []string {
	out := make([]string, len(rights))
	for i, r := range rights {
		out[i] = r.String()
	}
	return out
}

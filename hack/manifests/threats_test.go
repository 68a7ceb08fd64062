package manifests

import (
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/apikey-operator/apikey-operator/hack/rights"
)

// shippedRights are what each part may do, as the manifests grant it.
func shippedRights(t *testing.T, part string) (said []string) {
	t.Helper()
	const namespace = "apikey-operator-system"
	granted, err := rights.Granted(kustomize(t, "default"), namespace, "apikey-operator-"+part)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range granted {
		_, what, _ := strings.Cut(r.String(), ": ")
		said = append(said, what)
	}
	slices.Sort(said)
	return slices.Compact(said)
}

// TestWhatACompromisedAuthServerMay is the whole list.
func TestWhatACompromisedAuthServerMay(t *testing.T) {
	want := []string{
		"create leases.coordination.k8s.io in apikey-operator-system",
		"delete leases.coordination.k8s.io in apikey-operator-system",
		"get leases.coordination.k8s.io in apikey-operator-system",
		"list apikeys.apikey-operator.dev everywhere",
		"list namespaces everywhere",
		"list protectedapis.apikey-operator.dev everywhere",
		"update leases.coordination.k8s.io in apikey-operator-system",
		"watch apikeys.apikey-operator.dev everywhere",
		"watch namespaces everywhere",
		"watch protectedapis.apikey-operator.dev everywhere",
	}
	if got := shippedRights(t, "authserver"); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestWhatACompromisedControllerMayNot: it writes nothing of what is declared, no
// roles and no Pods.
func TestWhatACompromisedControllerMayNot(t *testing.T) {
	writable := map[string][]string{} // resources by where
	for _, right := range shippedRights(t, "controller") {
		verb, rest, _ := strings.Cut(right, " ")
		if verb == "get" || verb == "list" || verb == "watch" {
			continue
		}
		writable[verb] = append(writable[verb], rest)
	}
	want := map[string][]string{
		"create": {
			"events in apikey-operator-system", "events.events.k8s.io everywhere", "leases.coordination.k8s.io in apikey-operator-system",
			"secrets everywhere", "subjectaccessreviews.authorization.k8s.io everywhere",
		},
		"delete": {"leases.coordination.k8s.io in apikey-operator-system", "secrets everywhere"},
		"patch":  {"events in apikey-operator-system", "events.events.k8s.io everywhere"},
		"update": {
			"apikeys/finalizers.apikey-operator.dev everywhere", "apikeys/status.apikey-operator.dev everywhere",
			"leases.coordination.k8s.io apikey-operator-controller in apikey-operator-system", "protectedapis/status.apikey-operator.dev everywhere",
			"secrets apikey-operator-webhook-tls,apikey-operator-authserver-tls in apikey-operator-system", "secrets everywhere",
			"validatingwebhookconfigurations.admissionregistration.k8s.io apikey-operator everywhere",
		},
	}
	for _, verb := range []string{"create", "delete", "patch", "update", "deletecollection", "*", "bind", "escalate", "impersonate", "issue"} {
		if !slices.Equal(writable[verb], want[verb]) {
			t.Errorf("%s:\n got %q\nwant %q", verb, writable[verb], want[verb])
		}
	}
}

// TestAuthServersGetNoCAKey: of the certificates' Secret an auth server's Pod has the
// certificate and its key, and of other Secrets nothing.
func TestAuthServersGetNoCAKey(t *testing.T) {
	for name, text := range map[string]string{"kustomize": kustomize(t, "default"), "chart": mustTemplate(t)} {
		found := false
		for _, o := range only(parse(t, text), "Deployment") {
			if o.GetName() != "apikey-operator-authserver" {
				continue
			}
			found = true
			var d appsv1.Deployment
			if err := yaml.Unmarshal([]byte(render(t, o)), &d); err != nil {
				t.Fatal(err)
			}
			for _, v := range d.Spec.Template.Spec.Volumes {
				if v.Projected != nil {
					t.Errorf("%s: volume %s is projected: look into it", name, v.Name)
				}
				if v.Secret == nil {
					continue
				}
				var entries []string
				for _, i := range v.Secret.Items {
					entries = append(entries, i.Key)
				}
				if v.Secret.SecretName != "apikey-operator-authserver-tls" || !slices.Equal(entries, []string{"tls.crt", "tls.key"}) {
					t.Errorf("%s: volume %s: %s %q", name, v.Name, v.Secret.SecretName, entries)
				}
			}
		}
		if !found {
			t.Errorf("%s: no auth server", name)
		}
	}
}

package manifests

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/apikey-operator/apikey-operator/hack/parts"
)

func TestHelmLint(t *testing.T) {
	for _, file := range valuesFiles(t) {
		if _, err := run(t, "", parts.Need(t, parts.Helm), append([]string{"lint", "--strict", chart}, withValues(file)...)...); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// With its default values, and with those that mean a component, the chart is what
// kustomize makes, object by object.
func TestTheChartIsTheManifest(t *testing.T) {
	for name, row := range map[string]struct {
		components []string
		values     []string
	}{
		"as it is":     {},
		"autoscaling":  {[]string{"autoscaling"}, []string{"autoscaling.enabled=true"}},
		"cert-manager": {[]string{"cert-manager"}, []string{"certificates.source=certManager"}},
		"client-certs": {[]string{"client-certs"}, []string{"clientCertificates.enabled=true"}},
	} {
		t.Run(name, func(t *testing.T) {
			var args []string
			for _, v := range row.values {
				args = append(args, "--set", v)
			}
			got, want := comparable(t, mustTemplate(t, args...)), comparable(t, kustomize(t, "default", row.components...))
			// Whoever installs the chart names the namespace, and makes it.
			delete(want, "Namespace "+system)
			for name := range want {
				if diff := cmp.Diff(want[name], got[name]); diff != "" {
					t.Errorf("the chart's (+) %s isn't the manifest's (-):\n%s", name, diff)
				}
				delete(got, name)
			}
			for name := range got {
				t.Errorf("the chart has %s, the manifest doesn't", name)
			}
		})
	}
}

// comparable are objects by what they are, without what marks them as a chart's.
func comparable(t *testing.T, text string) map[string]map[string]any {
	t.Helper()
	objects := map[string]map[string]any{}
	for _, o := range parse(t, text) {
		labels := o.GetLabels()
		for _, name := range []string{"app.kubernetes.io/managed-by", "app.kubernetes.io/version", "helm.sh/chart"} {
			delete(labels, name)
		}
		// On all objects of the manifest, and so nothing to compare.
		delete(labels, "app.kubernetes.io/name")
		o.SetLabels(labels)
		annotations := o.GetAnnotations()
		delete(annotations, "helm.sh/resource-policy")
		o.SetAnnotations(annotations)
		if len(annotations) == 0 {
			o.SetAnnotations(nil)
		}
		if len(labels) == 0 {
			o.SetLabels(nil)
		}
		objects[id(o)] = o.Object
	}
	return objects
}

// Values that can't be are refused, and the message names the value.
func TestTheChartRefuses(t *testing.T) {
	for _, row := range []struct{ values, want string }{
		{`{trustedCaller: [10.0.0.0/8]}`, `trustedCaller`},
		{`{image: {name: x}}`, `name`},
		{`{image: {digest: latest}}`, `/image/digest`},
		{`{image: {pullPolicy: Sometimes}}`, `/image/pullPolicy`},
		{`{trustedCallers: []}`, `/trustedCallers`},
		{`{trustedCallers: 10.0.0.0/8}`, `/trustedCallers`},
		{`{trustedCallers: [gateways]}`, `/trustedCallers/0`},
		{`{trustedCallers: [0.0.0.0/0]}`, `/trustedCallers/0': value must be 'addresses of your gateways, not all addresses'`},
		{`{trustedProxies: ["::/0"]}`, `/trustedProxies/0': value must be 'addresses of your proxies, not all addresses'`},
		{`{hostClaims: [shop.example]}`, `/hostClaims/0`},
		{`{defaultAPIHosts: ["a.*.example"]}`, `/defaultAPIHosts/0`},
		{`{wrongKeyLimit: -1}`, `/wrongKeyLimit`},
		{`{logLevel: trace}`, `/logLevel`},
		{`{namespaces: [Shop]}`, `/namespaces/0`},
		{`{namespaces: [a, a]}`, `/namespaces`},
		{`{admission: "on"}`, `/admission`},
		{`{certificates: {source: self}}`, `/certificates/source`},
		{`{certificates: {caBundle: x}}`, `/certificates/caBundle`},
		{`{certificates: {duration: 90d}}`, `/certificates/duration`},
		{`{crds: {enabled: "yes"}}`, `/crds/enabled`},
		{`{networkPolicies: {apiServerPorts: [0]}}`, `/networkPolicies/apiServerPorts/0`},
		{`{networkPolicies: {gateways: []}}`, `/networkPolicies/gateways`},
		{`{podDisruptionBudget: {maxUnavailable: most}}`, `/podDisruptionBudget/maxUnavailable`},
		{`{fsGroup: 0}`, `/fsGroup`},
		{`{labels: {app.kubernetes.io/name: mine}}`, `/labels`},
		{`{controller: {labels: {app.kubernetes.io/component: mine}}}`, `/controller/labels`},
		{`{authserver: {resources: {request: {cpu: 1}}}}`, `request`},
		{`{authserver: {extraArgs: [audit-log]}}`, `/authserver/extraArgs/0`},

		{`{namespaces: [a], admission: Enabled}`, `admission: Enabled is impossible with namespaces and certificates.source selfManaged`},
		{`{namespaces: [a], admission: Enabled, certificates: {source: provided}}`, `certificates.caBundle: required`},
		{`{certificates: {source: provided}}`, `certificates.caBundle: required`},
		{`{namespaces: [a], certificates: {source: provided}}`, `certificates.caBundle: required`},
		{`{certificates: {caBundle: "-----BEGIN CERTIFICATE----- -----END CERTIFICATE-----"}}`, `certificates.caBundle: not with certificates.source selfManaged`},
		{`{certificates: {issuerRef: {name: ours}}}`, `certificates.issuerRef: not with certificates.source selfManaged`},
		{`{clientCertificates: {names: [a]}}`, `clientCertificates.names: without clientCertificates.enabled`},
		{`{autoscaling: {minReplicas: 11}}`, `autoscaling.minReplicas: 11 is more than`},
	} {
		out, err := run(t, row.values, parts.Need(t, parts.Helm), "template", "apikey-operator", chart, "--values", "-")
		// The schema's messages name an array's element in either way.
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), ".", "/"), strings.ReplaceAll(row.want, ".", "/")) {
			t.Errorf("%s: got %v, %d bytes, want an error with %q", row.values, err, len(out), row.want)
		}
	}
}

// What a release of the namespaced mode has rights on.
func TestNamespacedModeHasNoClusterRole(t *testing.T) {
	for file, admission := range map[string]bool{"namespaced.yaml": false, "namespaced-cert-manager.yaml": true} {
		objects := parse(t, mustTemplate(t, "--values", chart+"/ci/"+file))
		if found := only(objects, "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"); len(found) > 0 {
			t.Errorf("%s: there is %s", file, id(found[0]))
		}
		var configurations []string
		for _, o := range only(objects, "ValidatingWebhookConfiguration") {
			configurations = append(configurations, o.GetName())
		}
		if want := []string{"apikey-operator-" + system}; admission != (len(configurations) > 0) || admission && !slices.Equal(configurations, want) {
			t.Errorf("%s: the configurations of admission are %q", file, configurations)
		}
		for _, d := range only(objects, "Deployment") {
			text := render(t, d)
			if !strings.Contains(text, `"--namespaces=`) {
				t.Errorf("%s: %s has no --namespaces", file, d.GetName())
			}
			if d.GetName() == "apikey-operator-controller" && strings.Contains(text, "--webhook-address") != admission {
				t.Errorf("%s: the controller serves admission: %v", file, !admission)
			}
		}
		var rights []string
		for _, o := range only(objects, "Role") {
			if o.GetNamespace() == "shop" {
				rights = append(rights, rulesOf(t, o)...)
			}
		}
		want := []string{
			"apikey-operator-authserver-keys: list,watch apikeys,protectedapis",
			"apikey-operator-controller-keys: create localsubjectaccessreviews",
			"apikey-operator-controller-keys: create,patch events",
			"apikey-operator-controller-keys: get,list,watch apikeys",
			"apikey-operator-controller-keys: get,list,watch,create,update,delete secrets",
			"apikey-operator-controller-keys: list,watch protectedapis",
			"apikey-operator-controller-keys: update apikeys/finalizers",
			"apikey-operator-controller-keys: update apikeys/status,protectedapis/status",
		}
		if !admission {
			want = slices.Delete(want, 1, 2)
		}
		if slices.Sort(rights); !slices.Equal(rights, want) {
			t.Errorf("%s: the rights in a namespace are\n%s", file, strings.Join(rights, "\n"))
		}
	}
}

// rulesOf are the rules of a role, in a line each.
func rulesOf(t *testing.T, role *unstructured.Unstructured) []string {
	t.Helper()
	rules, _, err := unstructured.NestedSlice(role.Object, "rules")
	if err != nil {
		t.Fatal(err)
	}
	join := func(list any) string { return strings.Join(strings.Fields(strings.Trim(fmt.Sprint(list), "[]")), ",") }
	var lines []string
	for _, r := range rules {
		rule := r.(map[string]any)
		line := role.GetName() + ": " + join(rule["verbs"]) + " " + join(rule["resources"])
		if names := rule["resourceNames"]; names != nil {
			line += " named " + join(names)
		}
		lines = append(lines, line)
	}
	return lines
}

// Each value is described where it is, and known to the schema with the default's type.
func TestEveryValueIsDescribed(t *testing.T) {
	text := read(t, filepath.Join(chart, "values.yaml"))
	var values, schema map[string]any
	for into, from := range map[*map[string]any]string{&values: text, &schema: read(t, filepath.Join(chart, "values.schema.json"))} {
		if err := yaml.UnmarshalStrict([]byte(from), into); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		key := regexp.MustCompile(`^( {0,2})[a-zA-Z]+:`).FindString(line)
		described := i > 0 && strings.HasPrefix(strings.TrimSpace(lines[i-1]), "# ")
		if key != "" && !described && !strings.HasPrefix(line, "    ") {
			t.Errorf("values.yaml:%d: %s isn't described", i+1, strings.TrimSpace(key))
		}
	}
	wantDescribed(t, "", values, schema)
}

// wantDescribed demands of a schema that it knows each value, and no other.
func wantDescribed(t *testing.T, path string, values, schema map[string]any) {
	t.Helper()
	properties, ok := schema["properties"].(map[string]any)
	if _, names := schema["additionalProperties"].(map[string]any); names || !ok {
		return // whatever one likes, such as labels
	}
	if schema["additionalProperties"] != false {
		t.Errorf("%s/: the schema allows other values", path)
	}
	for name, value := range values {
		known, ok := properties[name].(map[string]any)
		if !ok {
			t.Errorf("%s/%s isn't in the schema", path, name)
			continue
		}
		if inner, ok := value.(map[string]any); ok {
			wantDescribed(t, path+"/"+name, inner, known)
		}
	}
	for name := range properties {
		if _, there := values[name]; !there && name != "global" && !optional[path+"/"+name] {
			t.Errorf("%s/%s is in the schema, and has no default", path, name)
		}
	}
}

// optional are parts of values that have no default.
var optional = map[string]bool{
	"/certificates/issuerRef/name": true, "/certificates/issuerRef/kind": true, "/certificates/issuerRef/group": true,
	"/controller/resources/limits": true, "/authserver/resources/limits": true,
}

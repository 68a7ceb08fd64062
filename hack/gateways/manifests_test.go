package gateways

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/apikey-operator/apikey-operator/hack/devcluster"
	"github.com/apikey-operator/apikey-operator/hack/parts"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
)

const samples = "../../config/samples/gateways"

func TestMain(m *testing.M) {
	os.Exit(devcluster.Run(m, devcluster.Options{CRDPaths: []string{"../../config/crd/bases"}}))
}

// The kinds of each manifest, in its order.
var manifests = map[string][]string{
	"envoy-gateway.yaml": {"HTTPRoute", "SecurityPolicy", "ReferenceGrant", "BackendTLSPolicy"},
	"istio.yaml":         {"AuthorizationPolicy", "DestinationRule"},
	"ingress-nginx.yaml": {"Ingress"},
	"traefik.yaml":       {"Middleware", "IngressRoute"},
}

// The API server takes each object as it is, and not with a field too many.
func TestTheAPIServerTakesThem(t *testing.T) {
	c := cluster(t)
	for file, kinds := range manifests {
		t.Run(file, func(t *testing.T) {
			wantTaken(t, c, read(t, file), kinds, `unknown field "spec.misspelt"`)
		})
	}
}

// wantTaken demands of objects that they are of these kinds and taken, and refused
// with these words once there is a field too many.
func wantTaken(t *testing.T, c client.Client, objects []*unstructured.Unstructured, kinds []string, refusal string) {
	t.Helper()
	if got := kindsOf(objects); !slices.Equal(got, kinds) {
		t.Fatalf("the kinds are %q, want %q", got, kinds)
	}
	for _, o := range objects {
		if err := create(t, c, o.DeepCopy()); err != nil {
			t.Errorf("%s: %v", o.GetKind(), err)
		}
		if err := unstructured.SetNestedField(o.Object, "", "spec", "misspelt"); err != nil {
			t.Fatal(err)
		}
		if err := create(t, c, o); err == nil || !strings.Contains(err.Error(), refusal) {
			t.Errorf("%s with a field that isn't there: got %v", o.GetKind(), err)
		}
	}
}

// What the schemas demand of the fields that we use: were these not refused, the test
// above would say little.
func TestTheAPIServerRefuses(t *testing.T) {
	c := cluster(t)
	for what, row := range map[string]struct{ file, old, new, want string }{
		"a context extension without a name": {"envoy-gateway.yaml", "    - name: api\n      type: Value\n", "    - type: Value\n", "contextExtensions[0].name"},
		"a status that is no error":          {"envoy-gateway.yaml", "statusOnError: 503", "statusOnError: 200", "statusOnError"},
		"an action that there isn't":         {"istio.yaml", "action: CUSTOM", "action: ASK", "spec.action"},
		"a size that is no number":           {"traefik.yaml", "maxResponseBodySize: 65536", "maxResponseBodySize: 64k", "maxResponseBodySize"},
		"a mode of TLS that there isn't":     {"istio.yaml", "mode: SIMPLE", "mode: SURE", "trafficPolicy.tls.mode"},
		"nothing to verify with":             {"envoy-gateway.yaml", "    hostname: apikey-operator-authserver.apikey-operator-system.svc\n", "", "validation.hostname"},
		"a type of path that there isn't":    {"ingress-nginx.yaml", "pathType: Prefix", "pathType: Glob", "pathType"},
	} {
		var errs []error
		for _, o := range parse(t, replace(t, row.file, row.old, row.new)) {
			errs = append(errs, create(t, c, o))
		}
		if err := errors.Join(errs...); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want an error with %s", what, err, row.want)
		}
	}
}

// Istio's mesh configuration isn't a resource: it is held against Istio's Go types.
func TestMeshConfig(t *testing.T) {
	check := parts.Need(t, parts.GatewaySchemas)
	for what, row := range map[string]struct{ old, new, want string }{
		"as it is":         {},
		"a field too many": {"failOpen: false", "failClosed: true", `unknown field "failClosed"`},
		"another type":     {"failOpen: false", "failOpen: never", "failOpen"},
	} {
		var values struct {
			MeshConfig map[string]any `json:"meshConfig"`
		}
		if err := yaml.UnmarshalStrict([]byte(replace(t, "istio-values.yaml", row.old, row.new)), &values); err != nil {
			t.Fatal(err)
		}
		text, err := yaml.Marshal(values.MeshConfig)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), check)
		cmd.Stdin = bytes.NewReader(text)
		out, err := cmd.CombinedOutput()
		if (err != nil) != (row.want != "") || !strings.Contains(string(out), row.want) {
			t.Errorf("%s: got %v, %s, want an error with %q", what, err, out, row.want)
		}
	}
	// The policy names the provider.
	policy, provider := "    name: apikey-operator\n", "  - name: apikey-operator\n"
	if !strings.Contains(text(t, "istio.yaml"), policy) || !strings.Contains(text(t, "istio-values.yaml"), provider) {
		t.Error("the policy's provider isn't the one of the mesh configuration")
	}
}

// To the API server annotations are only text. Their names are those that Traefik
// reads of ingress-nginx, whose own are nowhere to be had as a Go module.
func TestIngressAnnotations(t *testing.T) {
	const domain = "nginx.ingress.kubernetes.io/"
	known, err := os.ReadFile(filepath.Join(filepath.Dir(parts.Need(t, parts.GatewaySchemas)), parts.SchemaDir, "annotations.go"))
	if err != nil {
		t.Fatal(err)
	}
	annotations := read(t, "ingress-nginx.yaml")[0].GetAnnotations()
	for name := range annotations {
		if !strings.HasPrefix(name, domain) || !bytes.Contains(known, []byte("`annotation:\""+name+"\"`")) {
			t.Errorf("annotation %s isn't one of ingress-nginx", name)
		}
		// ingress-nginx refuses an Ingress with one, unless told not to.
		if strings.HasSuffix(name, "-snippet") {
			t.Errorf("%s isn't allowed by default", name)
		}
	}
	if got, want := annotations[domain+"auth-url"], authServer+":9002/authorize/nginx/apis/billoget"; got != want {
		t.Errorf("auth-url is %s, want %s", got, want)
	}
	// ingress-nginx sets each of these, and takes it away if we don't send it.
	got := strings.Split(strings.ToLower(annotations[domain+"auth-response-headers"]), ",")
	if want := append(slices.Clone(authn.IdentityHeaders), "authorization", "x-api-key"); !slices.Equal(got, want) {
		t.Errorf("auth-response-headers are %q, want %q", got, want)
	}
}

// authServer is the Service as programs in the cluster call it.
const authServer = "https://apikey-operator-authserver.apikey-operator-system.svc.cluster.local"

func TestForwardAuthMiddleware(t *testing.T) {
	got, _, err := unstructured.NestedMap(read(t, "traefik.yaml")[0].Object, "spec", "forwardAuth")
	if err != nil {
		t.Fatal(err)
	}
	if got["address"] != authServer+":9002/authorize/traefik/apis/billoget" || got["trustForwardHeader"] != false {
		t.Errorf("got %v", got)
	}
	pattern, _ := got["authResponseHeadersRegex"].(string)
	for _, h := range authn.IdentityHeaders {
		// As Traefik sees it: in Go's spelling of headers.
		if name := "X-Apikey-" + strings.TrimPrefix(h, "x-apikey-"); !regexp.MustCompile(pattern).MatchString(name) {
			t.Errorf("%s is not among %s", name, pattern)
		}
	}
}

// Each gateway verifies the auth server's certificate, but for ingress-nginx, which
// can't and says so. The names that they demand are in the certificate.
func TestTheAuthServerIsVerified(t *testing.T) {
	const name = "apikey-operator-authserver.apikey-operator-system.svc"
	at := func(file string, object int, field ...string) any {
		t.Helper()
		value, _, err := unstructured.NestedFieldNoCopy(read(t, file)[object].Object, field...)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	for what, row := range map[string]struct{ got, want any }{
		"Envoy Gateway": {at("envoy-gateway.yaml", 3, "spec", "validation"), map[string]any{
			"caCertificateRefs": []any{map[string]any{"group": "", "kind": "Secret", "name": "apikey-operator-authserver-tls"}}, "hostname": name,
		}},
		"Istio": {at("istio.yaml", 1, "spec", "trafficPolicy", "tls"), map[string]any{
			"mode": "SIMPLE", "credentialName": "apikey-operator-ca", "sni": name, "subjectAltNames": []any{name},
		}},
		"Istio's host": {at("istio.yaml", 1, "spec", "host"), strings.TrimPrefix(authServer, "https://")},
		"Traefik":      {at("traefik.yaml", 0, "spec", "forwardAuth", "tls"), map[string]any{"caSecret": "apikey-operator-ca"}},
	} {
		if !reflect.DeepEqual(row.got, row.want) {
			t.Errorf("%s: got %v, want %v", what, row.got, row.want)
		}
	}
	if !strings.Contains(text(t, "ingress-nginx.yaml"), "DOESN'T VERIFY the auth server's certificate") {
		t.Error("ingress-nginx.yaml doesn't say that nothing is verified")
	}
}

// What an outage must never do, and what a gateway that is asked about must say.
func TestNoneFailsOpen(t *testing.T) {
	for file, lines := range map[string][]string{
		"envoy-gateway.yaml": {"failOpen: false", "statusOnError: 503", "name: apikey-operator-authserver", "port: 9001"},
		"istio-values.yaml":  {"failOpen: false", `statusOnError: "503"`, "service: " + strings.TrimPrefix(authServer, "https://"), "port: 9001"},
		"istio.yaml":         {"action: CUSTOM", "- {}"},
		"ingress-nginx.yaml": {":9002/authorize/nginx/"},
		"traefik.yaml":       {":9002/authorize/traefik/", "trustForwardHeader: false"},
	} {
		content := text(t, file)
		for _, line := range append(lines, "--trusted-callers") {
			if !strings.Contains(content, line) {
				t.Errorf("%s: there is no %q", file, line)
			}
		}
	}
	all, err := filepath.Glob(filepath.Join(samples, "*"))
	if err != nil || len(all) != len(manifests)+1 {
		t.Errorf("the samples are %q, %v: all of them belong into these tests", all, err)
	}
}

// installed is the cluster's client, once it knows the gateways' kinds.
var installed struct {
	once   sync.Once
	client client.Client
	err    error
}

// cluster returns a client of a cluster with the gateways' kinds, and the namespaces
// that the manifests are for.
func cluster(t *testing.T) client.Client {
	t.Helper()
	schemas := filepath.Join(filepath.Dir(parts.Need(t, parts.GatewaySchemas)), parts.SchemaDir)
	config := devcluster.For(t).Config
	installed.once.Do(func() {
		options := envtest.CRDInstallOptions{Paths: []string{schemas}, ErrorIfPathMissing: true, MaxTime: time.Minute}
		if _, installed.err = envtest.InstallCRDs(config, options); installed.err != nil {
			return
		}
		if installed.client, installed.err = client.New(config, client.Options{}); installed.err != nil {
			return
		}
		for _, name := range []string{"apis", "apikey-operator-system", "istio-system", "shop", "argocd", "flux-system"} {
			o := &unstructured.Unstructured{}
			o.SetAPIVersion("v1")
			o.SetKind("Namespace")
			o.SetName(name)
			installed.err = errors.Join(installed.err, installed.client.Create(t.Context(), o))
		}
	})
	if installed.err != nil {
		t.Fatal(installed.err)
	}
	return installed.client
}

func create(t *testing.T, c client.Client, o *unstructured.Unstructured) error {
	t.Helper()
	return c.Create(t.Context(), o, client.DryRunAll, client.FieldValidation("Strict"))
}

func text(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(samples, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// replace returns the text of a manifest with old, which is there once, as new.
func replace(t *testing.T, file, old, new string) string {
	t.Helper()
	content := text(t, file)
	if old != "" && strings.Count(content, old) != 1 {
		t.Fatalf("%s holds %q %d times, want once", file, old, strings.Count(content, old))
	}
	return strings.Replace(content, old, new, 1)
}

func read(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	return parse(t, text(t, file))
}

func parse(t *testing.T, content string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	for in := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(content), 4096); ; {
		o := &unstructured.Unstructured{}
		err := in.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
}

func kindsOf(objects []*unstructured.Unstructured) []string {
	var kinds []string
	for _, o := range objects {
		kinds = append(kinds, o.GetKind())
	}
	return kinds
}

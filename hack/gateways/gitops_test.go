package gateways

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const gitOps = "../../config/samples/gitops"

// The kinds of each manifest for the tools that apply from Git, in its order.
var gitOpsManifests = map[string][]string{
	"argocd-application.yaml":  {"Application"},
	"argocd-cm.yaml":           {"ConfigMap"},
	"flux-kustomization.yaml":  {"Kustomization", "Kustomization"},
	"external-secrets.yaml":    {"PushSecret"},
	"reloader-deployment.yaml": {"Deployment"},
	"keys/apikey.yaml":         {"APIKey"},
}

// The API server takes each object as it is, and not with a field too many.
func TestTheAPIServerTakesGitOps(t *testing.T) {
	c := cluster(t)
	for file, kinds := range gitOpsManifests {
		t.Run(file, func(t *testing.T) {
			wantTaken(t, c, parse(t, gitOpsText(t, file)), kinds, `unknown field "spec`)
		})
	}
	var all []string
	for _, pattern := range []string{"*.yaml", "*/*.yaml"} {
		found, err := filepath.Glob(filepath.Join(gitOps, pattern))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	// Beside those, kustomize reads two.
	if len(all) != len(gitOpsManifests)+2 {
		t.Errorf("the samples are %q: all of them belong into these tests", all)
	}
}

// What the schemas demand of the fields that we use.
func TestTheAPIServerRefusesGitOps(t *testing.T) {
	c := cluster(t)
	for what, row := range map[string]struct{ file, old, new, want string }{
		"an option that is no text":         {"argocd-application.yaml", "- ServerSideApply=true", "- ServerSideApply: true", "syncOptions"},
		"a flag that is none":               {"argocd-application.yaml", "selfHeal: true", "selfHeal: always", "selfHeal"},
		"a kind of source that there isn't": {"flux-kustomization.yaml", "kind: GitRepository\n    name: deploy\n  path: ./keys", "kind: Git\n    name: deploy\n  path: ./keys", "sourceRef.kind"},
		"a kind without an expression":      {"flux-kustomization.yaml", "    kind: ProtectedAPI\n", "    kind: ProtectedAPI\n    ready: true\n", "healthCheckExprs"},
		"a policy that there isn't":         {"external-secrets.yaml", "updatePolicy: Replace", "updatePolicy: Merge", "updatePolicy"},
		"an entry of the Secret, misspelt":  {"external-secrets.yaml", "      secretKey: api-key", "      secretEntry: api-key", "secretEntry"},
	} {
		content := gitOpsText(t, row.file)
		if strings.Count(content, row.old) != 1 {
			t.Errorf("%s: %q isn't there once", what, row.old)
		}
		var errs []error
		for _, o := range parse(t, strings.Replace(content, row.old, row.new, 1)) {
			errs = append(errs, create(t, c, o))
		}
		if err := errors.Join(errs...); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want an error with %s", what, err, row.want)
		}
	}
}

// What belongs together has one name: the Secret is the APIKey's, and its entry api-key.
func TestGitOpsNames(t *testing.T) {
	key := parse(t, gitOpsText(t, "keys/apikey.yaml"))[0]
	get := func(file string, field ...string) any {
		t.Helper()
		var at any = parse(t, gitOpsText(t, file))[0].Object
		for _, name := range field {
			switch part := at.(type) {
			case map[string]any:
				at = part[name]
			case []any: // the first one
				at = part[0].(map[string]any)[name]
			}
		}
		return at
	}
	pod := []string{"spec", "template", "spec", "containers", "env", "valueFrom", "secretKeyRef"}
	for what, row := range map[string]struct{ got, want any }{
		"pushed":               {get("external-secrets.yaml", "spec", "selector", "secret", "name"), key.GetName()},
		"pushed entry":         {get("external-secrets.yaml", "spec", "data", "match", "secretKey"), "api-key"},
		"pushed from":          {get("external-secrets.yaml", "metadata", "namespace"), key.GetNamespace()},
		"read":                 {get("reloader-deployment.yaml", append(pod, "name")...), key.GetName()},
		"read entry":           {get("reloader-deployment.yaml", append(pod, "key")...), "api-key"},
		"reloaded on a change": {get("reloader-deployment.yaml", "metadata", "annotations", "secret.reloader.stakater.com/reload"), key.GetName()},
		"applied by Argo CD":   {get("argocd-application.yaml", "spec", "source", "path"), "keys"},
		"applied by Flux":      {get("flux-kustomization.yaml", "spec", "path"), "./keys"},
	} {
		if row.got != row.want {
			t.Errorf("%s: %v, want %v", what, row.got, row.want)
		}
	}
}

func gitOpsText(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(gitOps, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

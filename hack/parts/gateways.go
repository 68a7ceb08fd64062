package parts

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// SchemaDir is the directory beside GatewaySchemas with what other gateways publish
// of their configuration: CustomResourceDefinitions (*.yaml), and the annotations of
// an Ingress (annotations.go).
const SchemaDir = "schemas"

// schemaFiles are the files of SchemaDir, and where the gateways' modules have them.
// Envoy Gateway brings the kinds of the Gateway API that it installs. Modules that have
// no package which could hold a line in hack/assets/gateways/go.mod without all that
// they depend on are pinned here: the tools that apply from Git, whose manifests are in
// config/samples/gitops.
var schemaFiles = []struct{ name, module, path string }{
	{"gateway-api.yaml", "github.com/envoyproxy/gateway", "charts/gateway-helm/charts/crds/crds/gatewayapi-crds.yaml"},
	{"envoy-gateway.yaml", "github.com/envoyproxy/gateway", "charts/gateway-helm/charts/crds/crds/generated/gateway.envoyproxy.io_securitypolicies.yaml"},
	{"istio.yaml", "istio.io/api", "kubernetes/customresourcedefinitions.gen.yaml"},
	{"traefik.yaml", "github.com/traefik/traefik/v3", "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml"},
	// ingress-nginx has no release as a Go module. Traefik reads its annotations too.
	{"annotations.go", "github.com/traefik/traefik/v3", "pkg/provider/kubernetes/ingress-nginx/annotations.go"},
	{"argo-cd.yaml", "github.com/argoproj/argo-cd/v3@v3.4.13", "manifests/crds/application-crd.yaml"},
	{"flux.yaml", "github.com/fluxcd/kustomize-controller@v1.9.6", "config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml"},
	{"external-secrets.yaml", "github.com/external-secrets/external-secrets@v1.3.2", "config/crds/bases/external-secrets.io_pushsecrets.yaml"},
	{"cert-manager-certificates.yaml", "github.com/cert-manager/cert-manager@v1.21.2", "deploy/crds/cert-manager.io_certificates.yaml"},
	{"cert-manager-issuers.yaml", "github.com/cert-manager/cert-manager@v1.21.2", "deploy/crds/cert-manager.io_issuers.yaml"},
}

func gatewaySchemas() source {
	return source{
		folder: gatewaysFolder,
		check:  func(_ context.Context, file string) error { return executable(file) },
		ways:   []way{{"Go modules", stageGatewaySchemas}},
	}
}

// gatewaysFolder changes with every file of the module that pins the gateways, and
// with the list above.
func gatewaysFolder() (string, error) {
	root, err := repository()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	_, _ = fmt.Fprintln(sum, schemaFiles)
	module := os.DirFS(filepath.Join(root, "hack", "assets", "gateways"))
	err = fs.WalkDir(module, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(module, name)
		_, _ = fmt.Fprintf(sum, "%s %d\n%s", name, len(content), content)
		return err
	})
	return filepath.Join("gateways", fmt.Sprintf("%x-%s", sum.Sum(nil)[:6], platform())), err
}

// stageGatewaySchemas copies the files and builds the program from the module that
// pins the gateways.
func stageGatewaySchemas(ctx context.Context, p Part, dir string) error {
	root, err := repository()
	if err != nil {
		return err
	}
	module := filepath.Join(root, "hack", "assets", "gateways")
	if err := os.Mkdir(filepath.Join(dir, SchemaDir), 0o755); err != nil {
		return err
	}
	return step("fetching the schemas of other gateways", func() error {
		for _, f := range schemaFiles {
			source, err := moduleDir(ctx, module, f.module)
			if err != nil {
				return err
			}
			content, err := os.ReadFile(filepath.Join(source, f.path))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, SchemaDir, f.name), content, 0o644); err != nil {
				return err
			}
		}
		_, err := run(ctx, module, []string{"CGO_ENABLED=0", "GOFLAGS=-trimpath", "GOWORK=off"},
			"go", "build", "-o", filepath.Join(dir, string(p)), "./meshconfig")
		return err
	})
}

// release is a module with its version: the one that is written beside it, or else the
// one that the module gateways pins.
func release(module string) (string, error) {
	if strings.Contains(module, "@") {
		return module, nil
	}
	version, err := pinned("gateways", module)
	return module + "@" + version, err
}

// moduleDir fetches a release of a module, and none of what it depends on.
func moduleDir(ctx context.Context, gateways, path string) (string, error) {
	version, err := release(path)
	if err != nil {
		return "", err
	}
	out, err := run(ctx, gateways, []string{"GOFLAGS=", "GOWORK=off"}, "go", "mod", "download", "-json", version)
	if err != nil {
		return "", err
	}
	// Around the object may be what go says of its work.
	var module struct{ Dir string }
	if err := json.NewDecoder(strings.NewReader(out[max(0, strings.Index(out, "{")):])).Decode(&module); err != nil {
		return "", fmt.Errorf("go mod download -json %s: %w", version, err)
	}
	return module.Dir, nil
}

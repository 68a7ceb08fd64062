# `make help` lists what there is. POSIX sh, GNU make 3.81 or newer.
SHELL := /bin/sh
.DEFAULT_GOAL := help

# Tools and the parts of tests are kept outside the repository, once a machine.
CACHE := $(or $(APIKEY_OPERATOR_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/apikey-operator)
# Its name changes with the tools' versions and Go's.
TOOLS := $(CACHE)/tools/$(shell { cat hack/tools/go.mod hack/tools/go.sum; go env GOVERSION; } | git hash-object --stdin | cut -c1-12)
CONTROLLER_GEN := $(TOOLS)/controller-gen
LINTER := $(TOOLS)/golangci-lint-kube-api-linter

# A new file is a change as well, which `git describe --dirty` doesn't see.
VERSION := $(shell git describe --tags --always 2>/dev/null || echo dev)$(if $(shell git status --porcelain 2>/dev/null),-dirty)
# Go's settings may leave the commit out, which images, SBOMs and a metric name.
BUILD := go build -trimpath -buildvcs=$(if $(shell git rev-parse HEAD 2>/dev/null),true,false) -ldflags '-s -w -X main.version=$(VERSION)'
MODULES := . hack/tools hack/dist hack/assets/kubernetes hack/assets/etcd hack/assets/gateways hack/assets/helm
# Go finds a C compiler or not; without one there is no race detector.
RACE = $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)
# The image that `image` builds and `dist` names.
IMAGE ?= localhost/apikey-operator:dev
ARCH ?= $(shell go env GOARCH)
# What a release is for: ARCH only, if one was asked for.
PLATFORMS ?= $(if $(filter command environment,$(origin ARCH)),linux/$(ARCH),linux/amd64 linux/arm64)
FUZZTIME ?= 20s
BENCH ?= .

##@ Use
.PHONY: help run devcluster build image push dist
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

# What stays running is not left to `go run`, which doesn't pass SIGTERM on.
run: ## Development cluster, operator, samples and a table of real requests; ONCE=1 ends with its exit code
	@go build -o .dev/ ./hack/demo && exec .dev/demo $(if $(ONCE),-once)

devcluster: ## A control plane with our CRDs that stays until Ctrl-C; writes .dev/kubeconfig
	@go build -o .dev/ ./hack/devcluster/up && exec .dev/up

build: ## Binaries in bin/
	CGO_ENABLED=0 $(BUILD) -o bin/ ./cmd/...

image: ## In dist/: an archive of ARCH for docker load, an OCI archive and SBOMs of PLATFORMS; IMAGE, VERSION
push: ## The same to a registry: IMAGE=registry.example/apikey-operator:v1.2.3
image push:
	@set -e; for p in $(sort linux/$(ARCH) $(PLATFORMS)); do \
		echo "building for $$p"; \
		CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} $(BUILD) -o dist/$${p%/*}-$${p#*/}/ ./cmd/apikey-operator; \
	done
	@CGO_ENABLED=0 go -C hack/dist run ./image -name '$(IMAGE)' -version '$(VERSION)' -arch $(ARCH) -o '$(CURDIR)/dist/apikey-operator-image.tar' \
		-platforms '$(PLATFORMS)' -oci '$(CURDIR)/dist/apikey-operator-image.oci.tar' -sbom '$(CURDIR)/dist' $(if $(filter push,$@),-push) \
		'$(CURDIR)/dist/{os}-{arch}/apikey-operator=/apikey-operator'

dist: ## In dist/: install.yaml, its components/, and the Helm chart, which name IMAGE; VERSION
	@rm -rf dist/components dist/apikey-operator-*.tgz
	@CGO_ENABLED=0 go -C hack/dist run ./manifests -o '$(CURDIR)/dist/install.yaml' -image '$(IMAGE)' '$(CURDIR)/config/default'
	@echo 'dist/install.yaml: image $(IMAGE)'
	@cp -R config/components dist/components
	@echo 'dist/components: for a kustomization beside them'
	@CGO_ENABLED=0 go run ./hack/chart -o dist -version '$(VERSION)' -image '$(IMAGE)' config/chart
	@case '$(IMAGE)' in localhost/*) echo 'warning: no node pulls $(IMAGE): load it there, or name yours, for image (or push) and dist alike: IMAGE=registry.example/apikey-operator:v1.2.3' >&2 ;; esac

##@ Check
.PHONY: test test-e2e e2e-image verify lint bench microbench fuzz parts
parts: ## Fetch the control plane and the proxies that tests use
	go run ./hack/parts/fetch

# Tests fetch nothing: what the first step can't get stays missing, and is named at the end.
test: ## Everything that needs no node: unit, real API server and etcd, real proxies
	@missing=$$(mktemp) && trap 'rm -f "$$missing"' EXIT && export APIKEY_OPERATOR_MISSING_PARTS="$$missing"; \
	failed=0; \
	go run ./hack/parts/fetch || failed=1; \
	APIKEY_OPERATOR_FETCH=off go test $(RACE) -timeout 20m $(TESTFLAGS) ./... || failed=1; \
	CGO_ENABLED=0 go -C hack/dist test ./... || failed=1; \
	if [ -s "$$missing" ]; then \
		printf '\n!!! MISSING PARTS: the tests that need them DID NOT RUN\n'; sort -u "$$missing" | sed 's/^/!!!   /'; \
	fi; \
	exit $$failed

# Envoy in it is this machine's: of its architecture, with its libraries.
e2e-image: ## What the Pods of test-e2e run, dist/e2e-image.tar, and the version before, dist/previous
	@go run ./hack/e2e/image -o dist/e2e-image.tar
	@MAKE='$(MAKE)' sh hack/e2e/run.sh previous

test-e2e: ## Real Pods: on the cluster of KUBECONFIG, else on a node from ../shared/node (Linux, root)
	@MAKE='$(MAKE)' IMAGE='$(IMAGE)' sh hack/e2e/run.sh

verify: $(CONTROLLER_GEN) $(LINTER) ## Regenerate, format, tidy, vet and lint; fails if anything changes
	@MODULES='$(MODULES)' sh hack/verify.sh

lint: $(LINTER) ## Lint
	$(LINTER) run --allow-parallel-runners ./...

bench: ## Auth server against its targets, into docs/performance.md; BENCHFLAGS="-rows allow,deny"
	CGO_ENABLED=0 $(BUILD) -o bin/ ./cmd/apikey-operator
	CGO_ENABLED=0 $(BUILD) -o bin/bench/ ./hack/bench/...
	@bin/bench/run $(BENCHFLAGS)

microbench: ## Benchmarks beside the code; BENCH=regexp chooses
	go test -run '^$$' -bench '$(BENCH)' -benchmem ./internal/... ./controllers/... ./webhook/authn/...

fuzz: ## Run each fuzz target for FUZZTIME (20s)
	@FUZZTIME='$(FUZZTIME)' sh hack/fuzz.sh

##@ Change
.PHONY: generate tidy
generate: $(CONTROLLER_GEN) ## Generate deep copies and CRDs
	$(CONTROLLER_GEN) object paths=./api/...
	$(CONTROLLER_GEN) crd paths=./api/... output:crd:dir=config/crd/bases

tidy: ## Tidy all Go modules
	@set -e; for m in $(MODULES); do echo "go mod tidy in $$m"; go -C $$m mod tidy; done

# A temporary name and a rename: an interrupted build is not a tool.
$(CONTROLLER_GEN): PACKAGE := sigs.k8s.io/controller-tools/cmd/controller-gen
$(LINTER): PACKAGE := sigs.k8s.io/kube-api-linter/cmd/golangci-lint-kube-api-linter
$(CONTROLLER_GEN) $(LINTER):
	@echo "building $(@F), once a machine"
	@mkdir -p $(@D)
	@CGO_ENABLED=0 go -C hack/tools build -trimpath -ldflags '-s -w' -o $@.$$$$ $(PACKAGE) && mv $@.$$$$ $@

# `make help` lists what there is. POSIX sh, GNU make 3.81 or newer.
SHELL := /bin/sh
.DEFAULT_GOAL := help

# Tools and the parts of tests are kept outside the repository, once a machine.
CACHE := $(or $(APIKEY_OPERATOR_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/apikey-operator)
# Its name changes with the tools' versions and Go's.
TOOLS := $(CACHE)/tools/$(shell { cat hack/tools/go.mod hack/tools/go.sum; go env GOVERSION; } | git hash-object --stdin | cut -c1-12)
CONTROLLER_GEN := $(TOOLS)/controller-gen
LINTER := $(TOOLS)/golangci-lint-kube-api-linter

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
MODULES := . hack/tools hack/dist hack/assets/kubernetes hack/assets/etcd hack/assets/gateways
# Go finds a C compiler or not; without one there is no race detector.
RACE = $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)
# The image that `image` builds and `dist` names.
IMAGE ?= localhost/apikey-operator:dev
ARCH ?= $(shell go env GOARCH)
FUZZTIME ?= 20s
BENCH ?= .

##@ Use
.PHONY: help run devcluster build image dist
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

# What stays running is not left to `go run`, which doesn't pass SIGTERM on.
run: ## Development cluster, operator, samples and a table of real requests; ONCE=1 ends with its exit code
	@go build -o .dev/ ./hack/demo && exec .dev/demo $(if $(ONCE),-once)

devcluster: ## A control plane that stays until Ctrl-C; writes .dev/kubeconfig
	@go build -o .dev/ ./hack/devcluster/up && exec .dev/up

build: ## Binaries in bin/
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

image: ## Image archive in dist/, for docker load or ctr images import; IMAGE, ARCH
	CGO_ENABLED=0 GOOS=linux GOARCH=$(ARCH) go build -trimpath -ldflags '$(LDFLAGS)' -o dist/linux-$(ARCH)/ ./cmd/apikey-operator
	@CGO_ENABLED=0 go -C hack/dist run ./image -o '$(CURDIR)/dist/apikey-operator-image.tar' -name '$(IMAGE)' -arch $(ARCH) \
		-version '$(VERSION)' '$(CURDIR)/dist/linux-$(ARCH)/apikey-operator=/apikey-operator'

dist: ## dist/install.yaml: config/default with IMAGE
	@CGO_ENABLED=0 go -C hack/dist run ./manifests -o '$(CURDIR)/dist/install.yaml' -image '$(IMAGE)' '$(CURDIR)/config/default'

##@ Check
.PHONY: test test-e2e e2e-image verify lint bench fuzz parts
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
e2e-image: ## What the Pods of test-e2e run, dist/e2e-image.tar
	@go run ./hack/e2e/image -o dist/e2e-image.tar

test-e2e: ## Real Pods: on the cluster of KUBECONFIG, else on a node from ../shared/node (Linux, root)
	@MAKE='$(MAKE)' IMAGE='$(IMAGE)' sh hack/e2e/run.sh

verify: $(CONTROLLER_GEN) $(LINTER) ## Regenerate, format, tidy, vet and lint; fails if anything changes
	@MODULES='$(MODULES)' sh hack/verify.sh

lint: $(LINTER) ## Lint
	$(LINTER) run --allow-parallel-runners ./...

bench: ## Benchmarks; BENCH=regexp chooses
	go test -run '^$$' -bench '$(BENCH)' -benchmem ./internal/...

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

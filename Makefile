# What people and CI run. `make test` is the whole of it: on a fresh machine
# with Go and (for the real peers) apt it installs what the tests need, checks
# the code and runs every test. In CI a missing peer fails; elsewhere the tests
# that need it are skipped and say so.

GO    ?= go
TOOLS := $(GO) tool -modfile=.ci/tools/go.mod
.DEFAULT_GOAL := build

ifdef CI
export TOCSIN_REQUIRE_PEERS ?= 1
endif

.PHONY: build
build: ## build ./tocsin
	$(GO) build -o tocsin ./cmd/tocsin

.PHONY: test
test: setup lint unit race ## everything CI runs

.PHONY: setup
setup: ## install what the tests need, where we may
	.ci/setup

# Not `go mod tidy -diff`: it wants the tests of the tests of what we import, and
# not every module proxy serves those.
.PHONY: lint
lint: ## formatting, go vet, golangci-lint, modules unchanged
	.ci/fmt -l
	$(GO) vet ./...
	$(TOOLS) golangci-lint run ./...
	$(GO) mod verify

.PHONY: deadcode
deadcode: ## functions that neither the binary nor a test reaches
	$(TOOLS) deadcode -test ./...

.PHONY: unit
unit: ## all tests, in random order
	$(GO) test -shuffle=on -timeout=10m ./...

# The core and simulate have no goroutine and no lock (repotest sees to it): the
# detector has nothing to find there. -short leaves out what only measures volume.
.PHONY: race
race: ## the tests of everything that has goroutines, under the race detector
	@if [ -z "$$CI" ] && ! command -v $$($(GO) env CC) >/dev/null; then \
		echo "race: SKIPPED: the race detector needs a C compiler ($$($(GO) env CC))" >&2; \
	else set -x; \
		$(GO) test -race -short -shuffle=on -timeout=15m $$($(GO) list ./... | grep -vE '^tocsin/((ingest|cmdb|correlate)|internal/(repotest|simulate))$$'); \
	fi

FUZZTIME ?= 10s
.PHONY: fuzz
fuzz: ## every fuzz test for FUZZTIME (10s each)
	.ci/fuzz $(FUZZTIME)

.PHONY: bench
bench: ## Go benchmarks of all packages
	$(GO) test -run='^$$' -bench=. -benchmem ./...

.PHONY: bench-compare
bench-compare: ## Tocsin and Alertmanager in turn under one load; prints ratios
	deploy/bench/compare.sh

.PHONY: fmt
fmt: ## format all Go files
	.ci/fmt -w

.PHONY: help
help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' Makefile | expand -t 16

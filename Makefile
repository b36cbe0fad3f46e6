# Gatehouse: what a developer and CI do, in one place. "make" lists it.

# The daemon is pure Go. Only the race detector needs cgo, and sets it itself.
export CGO_ENABLED := 0

SHELL      := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# The version reaches main by the linker, which works without a git work tree
# (a container build, a source archive) as well as in one.
LDFLAGS := -s -w -X main.version=$(VERSION)
GOBUILD  = go build -trimpath -ldflags '$(LDFLAGS)'

# Pinned in modules of their own, see there; built once, then cached.
TOOL     := go tool -modfile=tools/go.mod
GOLANGCI := go tool -modfile=tools/golangci-lint/go.mod golangci-lint

# The platforms that gateways are made of: GOARCH, and the variant if it has any.
PLATFORMS := amd64 arm64 arm:GOARM=7 mipsle:GOMIPS=softfloat riscv64

FUZZTIME  ?= 30s
BENCHTIME ?= 1s
# What to test: make test PKG=./wire/
PKG       ?= ./...

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build the static binary dist/gatehouse for this machine
	$(GOBUILD) -o dist/ ./cmd/gatehouse

.PHONY: cross
cross: ## build for every platform of a gateway into dist/
	@for p in $(PLATFORMS); do \
		IFS=: read -r arch variant <<<"$$p"; \
		echo "build linux/$$arch $$variant"; \
		env GOOS=linux GOARCH=$$arch $$variant $(GOBUILD) -o "dist/gatehouse-linux-$$arch" ./cmd/gatehouse; \
	done

.PHONY: test
test: test-deps ## build and vet everything, then test as shipped and again with the race detector
	go build ./...
	go vet ./...
	@echo "== tests as shipped (static)"
	$(TOOL) gotestsum --format standard-quiet -- -shuffle=on $(PKG)
	@echo "== tests with the race detector (without the comparisons with other programs, which have just run)"
	CGO_ENABLED=1 $(TOOL) gotestsum --format standard-quiet -- -race -short -shuffle=on $(PKG)

# Programs that tests compare with or need: name:Debian package.
TEST_TOOLS := tshark:tshark tcpdump:tcpdump gcc:gcc ip:iproute2 clang-14:clang-14 llvm-strip-14:llvm-14 \
	lognormalizer:liblognorm-utils rsyslogd:rsyslog victoria-metrics:victoria-metrics \
	influxd:influxdb mosquitto:mosquitto mkfs.ext4:e2fsprogs
# A package that a program needs besides its own, by a file of it: file:package.
TEST_FILES := /usr/lib/$(shell uname -m)-linux-gnu/rsyslog/lmnsd_gtls.so:rsyslog-gnutls \
	/usr/include/bpf/bpf_helpers.h:libbpf-dev

# Programs that tests need and that are built from source: package@version. The
# last InfluxDB that is Go alone; it speaks the v2 API and Flux.
GO_TOOLS := github.com/influxdata/influxdb/cmd/influxd@v1.8.10

# Servers are installed and not started (policy-rc.d): each test starts its own.
.PHONY: test-deps
test-deps: ## install what the tests need (Debian, as root; quick when all is there)
	@for p in $(GO_TOOLS); do \
		dir="$$(go env GOPATH)/gatehouse-tools/$${p##*/}"; \
		if [[ ! -d $$dir ]]; then \
			echo "build $$p"; \
			GOBIN="$$dir" GOFLAGS=-mod=mod go install "$$p" || { rm -rf "$$dir"; echo "tests that need it will skip"; }; \
		fi; \
	done
	@missing=(); \
	export PATH="$$PATH:/usr/sbin"; \
	for t in $(TEST_TOOLS); do \
		command -v "$${t%%:*}" >/dev/null || missing+=("$${t##*:}"); \
	done; \
	for f in $(TEST_FILES); do \
		[[ -e $${f%%:*} ]] || missing+=("$${f##*:}"); \
	done; \
	if (( $${#missing[@]} == 0 )); then exit 0; fi; \
	if (( EUID != 0 )) || ! command -v apt-get >/dev/null; then \
		echo "missing: $${missing[*]} (make test-deps installs them on Debian as root); tests that need them will skip"; \
		exit 0; \
	fi; \
	echo "install $${missing[*]}"; \
	export DEBIAN_FRONTEND=noninteractive; \
	policy=/usr/sbin/policy-rc.d; \
	if [[ ! -e $$policy ]]; then \
		printf '#!/bin/sh\nexit 101\n' >$$policy; chmod +x $$policy; trap "rm -f $$policy" EXIT; \
	fi; \
	apt-get -qq update && apt-get -qq install -y --no-install-recommends "$${missing[@]}" libc6-dev >/dev/null

.PHONY: generate
generate: ## compile the BPF program (with clang 14 of Debian 12; make test-deps installs it)
	go generate ./ebpf

.PHONY: fmt
fmt: ## format every Go file
	$(TOOL) gofumpt -w .

.PHONY: lint lint-format lint-vet lint-static lint-golangci
lint: lint-format lint-vet lint-static lint-golangci ## check format, vet, staticcheck and golangci-lint

lint-format:
	@out=$$($(TOOL) gofumpt -l .); \
	if [[ -n $$out ]]; then echo "not formatted, run make fmt:"; echo "$$out"; exit 1; fi

lint-vet:
	go vet ./...

lint-static:
	$(TOOL) staticcheck ./...

lint-golangci:
	$(GOLANGCI) run ./...

.PHONY: vuln
vuln: ## look for known vulnerabilities (needs the network: it asks vuln.go.dev)
	$(TOOL) govulncheck ./...

# Making an interesting input small takes up to a minute by default, and with it
# all of FUZZTIME.
.PHONY: fuzz
fuzz: ## run every fuzz target, one after the other, each for FUZZTIME=30s
	@pkgs=$$(go list $(PKG)); \
	for pkg in $$pkgs; do \
		tests=$$(go test -list '^Fuzz' "$$pkg"); \
		for target in $$(grep '^Fuzz' <<<"$$tests" || true); do \
			echo "== $$pkg $$target $(FUZZTIME)"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s "$$pkg"; \
		done; \
	done

.PHONY: soak
soak: ## run the long tests in full: a flood of 10 million flows, kill -9 at 200 points (4 minutes)
	GATEHOUSE_SOAK=1 go test -count=1 -v -run 'Flood|Memory' ./flow/
	GATEHOUSE_SOAK=1 go test -count=1 -v -timeout 20m -run 'KilledAnywhere' ./pipeline/

# Programs that Gatehouse is measured with: name:Debian package.
BENCH_TOOLS := tcpdump:tcpdump softflowd:softflowd argus:argus-server ndpiReader:libndpi-bin tshark:tshark

.PHONY: bench-deps
bench-deps: ## install the programs that make bench compares with (Debian, as root)
	@$(MAKE) test-deps TEST_TOOLS="$(BENCH_TOOLS)" TEST_FILES= GO_TOOLS=

.PHONY: bench bench-peers bench-stages bench-all
bench: bench-peers bench-stages ## measure beside other programs and stage by stage, into docs/performance.md (3 minutes)

bench-peers: ## measure beside other programs, into docs/performance.md
	go test ./internal/bench -count=1 -timeout 30m -v -run '^TestPeers$$' -peers

bench-stages: ## measure stage by stage, into docs/performance.md
	taskset --cpu-list 0 go test ./internal/bench -count=1 -timeout 30m -v -run '^TestStages$$' -stages

bench-all: ## run every benchmark, each for BENCHTIME=1s
	go test -run '^$$' -bench . -benchtime $(BENCHTIME) -benchmem $(PKG)

.PHONY: eval
eval: ## measure detection on all captures and 20 simulated months, into docs/evaluation.md (2 minutes)
	go test ./internal/eval -count=1 -timeout 30m -v -full

.PHONY: bench-live
bench-live: ## send a million small packets through each way to capture, and measure an idle sensor (as root)
	go test -run '^$$' -bench '^Benchmark((Flows)?Live|Overhead)$$' -benchtime 1000000x ./capture ./pipeline
	go test -run '^$$' -bench '^BenchmarkIdle$$' -benchtime 1x ./pipeline

.PHONY: cover
cover: ## measure what the tests reach; dist/cover.html shows it line by line
	@mkdir -p dist
	go test -coverpkg=./... -coverprofile=dist/cover.out $(PKG)
	go tool cover -html=dist/cover.out -o dist/cover.html
	@go tool cover -func=dist/cover.out | tail -n 1

.PHONY: clean
clean: ## remove what was built
	rm -rf dist

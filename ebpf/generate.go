package ebpf

// The objects are committed, so that building needs no compiler for BPF. They
// are those of Debian 12's clang 14: "make generate" reproduces them byte for
// byte, and a test compares.
//
//go:generate go tool -modfile=../tools/go.mod bpf2go -go-package ebpf -target bpfel,bpfeb -cc clang-14 -strip llvm-strip-14 -no-global-types -type flow_key -type flow_record -type head_record -type counter_set -type bucket_set -type port_set kernel flow.bpf.c -- -O2 -Wall -Wextra -Werror -mcpu=v3

// Package ebpf counts flows in the kernel: a BPF program at both directions of
// an interface adds every packet to its flow in a table, and sends up what is
// worth parsing - name lookups, handshakes, the first payloads of a connection,
// commands to machines. It owns that program, what loads and attaches it, and
// the typed records that come out: deltas of flows, heads of packets, counters.
//
// It promises that no packet waits for it or is changed by it, that memory is
// bounded, that every packet seen is either in the delta of a flow or in a
// counter that says why not (Account), and that nothing stays attached when the
// process is gone, or else is removed by the next start. It must not interpret
// payloads, and it decides nothing about flows: it says what was counted.
//
// It alone imports the BPF library.
package ebpf

package ebpf

import "errors"

// Reasons why flows cannot be counted in the kernel, to be matched with
// errors.Is. The errors that wrap them say what was tried and what to do.
// Capturing with AF_PACKET works without any of it.
var (
	ErrPlatform    = errors.New("counting flows in the kernel works on 64-bit Linux only")
	ErrKernel      = errors.New("the kernel is too old to count flows: Linux 5.15 or newer is needed")
	ErrPermission  = errors.New("not allowed to load BPF programs")
	ErrNoRingbuf   = errors.New("the kernel has no BPF ring buffer: Linux 5.8 or newer is needed")
	ErrNoTCX       = errors.New("the kernel cannot attach programs by TCX: Linux 6.6 or newer is needed")
	ErrNoClsact    = errors.New("the kernel cannot attach programs by the clsact queueing discipline")
	ErrNoInterface = errors.New("no such network interface")
	ErrLink        = errors.New("the interface's kind of link is not understood in the kernel")
	ErrBusy        = errors.New("another Gatehouse counts the flows of this interface")
	ErrNotTried    = errors.New("not tried: to leave no trace, that needs a network namespace of its own, and so root")
	ErrTooMany     = errors.New("too many interfaces")
)

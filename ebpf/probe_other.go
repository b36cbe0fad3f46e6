//go:build !linux || 386 || arm || mips || mipsle

package ebpf

// Probe finds that flows cannot be counted in the kernel of this machine.
func Probe() Support {
	return Support{Open: ErrPlatform, TCX: ErrPlatform, Clsact: ErrPlatform}
}

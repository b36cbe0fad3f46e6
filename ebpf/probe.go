package ebpf

// Support is what Probe has found out about this machine. An error of nil
// means that it works: it was tried, and undone.
type Support struct {
	Kernel string // name and release, such as Linux 6.12.9
	JIT    bool   // BPF programs are compiled; interpreted, they take ten times as long
	Open   error  // make the tables and load the program
	TCX    error  // attach by TCX
	Clsact error  // attach by clsact
}

// Via is the way to attach that works, the better first; false if none does.
func (s *Support) Via() (Via, bool) {
	switch {
	case s.TCX == nil:
		return TCX, true
	case s.Clsact == nil:
		return Clsact, true
	default:
		return 0, false
	}
}

package capture

import (
	"errors"
	"fmt"
	"strings"
)

// Reasons inside a FormatError, to be matched with errors.Is.
var (
	ErrEmpty      = errors.New("file is empty")
	ErrNotCapture = errors.New("not a pcap or pcapng capture")
	ErrCompressed = errors.New("compressed in a way that is not read directly")
	ErrTruncated  = errors.New("capture is cut off")
	ErrDamaged    = errors.New("capture is damaged")
	ErrVersion    = errors.New("unsupported capture file version")
)

// FormatError says where in which input a capture stopped making sense.
type FormatError struct {
	File   string // name as given by the user, "-" for standard input
	Offset int64  // bytes into the (uncompressed) input
	Err    error
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s: offset %d: %v", e.File, e.Offset, e.Err)
}

func (e *FormatError) Unwrap() error { return e.Err }

// shellQuote quotes a file name so that the command in an error message can
// be pasted into a POSIX shell.
func shellQuote(name string) string {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			strings.ContainsRune("/._-+,:@%", c)
	}
	if strings.IndexFunc(name, func(c rune) bool { return !plain(c) }) < 0 {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}

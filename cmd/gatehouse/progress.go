package main

import (
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// isTerminal reports whether a person is looking at w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// bar shows how far long work has come, on a terminal only.
type bar struct {
	b     *progressbar.ProgressBar
	total int64
}

func (a *app) progress(what string) *bar {
	if !isTerminal(a.stderr) {
		return hidden()
	}
	return &bar{b: progressbar.NewOptions64(-1,
		progressbar.OptionSetWriter(a.stderr), progressbar.OptionSetDescription(what),
		progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100_000_000), progressbar.OptionSetWidth(30))}
}

// hidden is a bar that nobody sees.
func hidden() *bar { return &bar{} }

func (b *bar) set(done, total int64) {
	if b.b == nil {
		return
	}
	if total > 0 && total != b.total {
		b.total = total
		b.b.ChangeMax64(total)
	}
	_ = b.b.Set64(min(done, max(total, done))) // a progress bar that fails is no reason to stop
}

func (b *bar) done() {
	if b.b != nil {
		_ = b.b.Finish()
	}
}

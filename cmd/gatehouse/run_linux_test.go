package main

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"gatehouse/capture"
	"gatehouse/internal/testkit"
	"gatehouse/sim"
)

// given an interface on which a home's day passes in a second
// when gatehouse runs on it
// then it sees every packet and the devices behind them, and says so in the end
func TestRun(t *testing.T) {
	testkit.EnterNetns(t)
	for _, args := range []string{
		"link add va type veth peer name vb", "link set va mtu 65000", "link set vb mtu 65000",
		"link set va up", "link set vb up",
	} {
		testkit.IP(t, args)
	}
	frames := firstFrames(t, filepath.Join(tunnel(t), sim.CaptureFile), 2000)
	send := sender(t, "va")

	var out bytes.Buffer
	errs := &watched{word: "capturing from vb", seen: make(chan struct{})}
	sent := make(chan int, 1)
	go func() {
		n := 0
		<-errs.seen // what is sent before is lost
		for _, f := range frames {
			if send(f) == nil {
				n++
			}
		}
		sent <- n
	}()
	dir := tunnel(t)
	code := run(t.Context(), []string{
		"run", "-i", "vb", "--duration", "3s", "--roots", filepath.Join(dir, sim.RootsFile),
		"--state", filepath.Join(t.TempDir(), "state"),
	}, strings.NewReader(""), &out, errs)
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	if n := <-sent; n != len(frames) {
		t.Fatalf("%d of %d frames could be sent", n, len(frames))
	}
	for _, want := range []string{"packets 2,000 · decoded 2,000 · malformed 0 ", "Kestrel-Cam-E1", "Inkwell-8020", "gateway: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in the output:\n%s", want, out.String())
		}
	}
}

// watched keeps what is written to it, and tells when a word has been.
type watched struct {
	bytes.Buffer
	word string
	seen chan struct{}
	once sync.Once
}

func (w *watched) Write(b []byte) (int, error) {
	n, err := w.Buffer.Write(b)
	if bytes.Contains(w.Bytes(), []byte(w.word)) {
		w.once.Do(func() { close(w.seen) })
	}
	return n, err
}

func TestRunRefuses(t *testing.T) {
	testkit.EnterNetns(t)
	for _, tc := range []struct{ args, want string }{
		{"run", "say where to capture with -i INTERFACE"},
		{"run -i nowhere", "nowhere"},
		{"run -i lo --filter portt", "--filter"},
		{"run -i lo --budget lots", "--budget"},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), strings.Fields(tc.args), strings.NewReader(""), &out, &errs); code != exitUsage {
			t.Errorf("%s: exit code %d, want %d", tc.args, code, exitUsage)
		}
		if !strings.Contains(errs.String(), tc.want) {
			t.Errorf("%s: %s", tc.args, errs.String())
		}
	}
}

// firstFrames reads the first n frames of a capture that were captured whole.
func firstFrames(t *testing.T, name string, n int) [][]byte {
	t.Helper()
	src, err := capture.Open([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var frames [][]byte
	var b capture.Batch
	for len(frames) < n {
		err := src.Read(&b)
		for i := range b.Packets {
			if p := &b.Packets[i]; p.Length == len(p.Data) && len(frames) < n {
				frames = append(frames, bytes.Clone(p.Data))
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(frames) < n {
		t.Fatalf("%d frames in %s, want %d", len(frames), name, n)
	}
	return frames
}

// sender returns what sends a frame out of an interface.
func sender(t *testing.T, name string) func([]byte) error {
	t.Helper()
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	// By the name in the file system: net.InterfaceByName would look it up
	// from whatever thread it runs on.
	index := strings.Fields(testkit.IP(t, "-o link show "+name))[0]
	n := 0
	for _, c := range strings.TrimSuffix(index, ":") {
		n = 10*n + int(c-'0')
	}
	to := &unix.SockaddrLinklayer{Ifindex: n, Halen: 6}
	return func(frame []byte) error { return unix.Sendto(fd, frame, 0, to) }
}

// given a run that was killed while the kernel counted for it
// when the next one begins
// then it begins as ever, and ends cleanly when it is told to
func TestRunAfterKill(t *testing.T) {
	testkit.EnterNetns(t)
	for _, args := range []string{"link add va type veth peer name vb", "link set va up", "link set vb up"} {
		testkit.IP(t, args)
	}
	for _, end := range []unix.Signal{unix.SIGKILL, unix.SIGTERM} {
		errs := &watched{word: "interrupt to stop", seen: make(chan struct{})}
		var out bytes.Buffer
		cmd := exec.CommandContext(t.Context(), "gatehouse", "run", "-i", "vb", "--capture", "ebpf")
		cmd.Stdout, cmd.Stderr = &out, struct{ io.Writer }{errs} // not its ReadFrom
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		exited := make(chan error, 1)
		go func() { exited <- cmd.Wait() }()
		select {
		case <-errs.seen:
		case err := <-exited:
			t.Fatalf("ended by itself: %v: %s", err, errs.String())
		}
		testkit.NewSender(t, "va").Send(t, testkit.UDPFrame(
			netip.MustParseAddrPort("192.0.2.1:1111"), netip.MustParseAddrPort("192.0.2.2:9999"), 1))
		if err := cmd.Process.Signal(end); err != nil {
			t.Fatal(err)
		}
		err := <-exited
		if end == unix.SIGKILL {
			continue
		}
		if err != nil || !strings.Contains(out.String(), "packets 1 · decoded 1 · malformed 0 · flows 1 ") {
			t.Errorf("%v: %s\n%s", err, errs.String(), out.String())
		}
	}
}

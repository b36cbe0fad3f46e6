package bench

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"
)

// recipe is raised when the same takes are to give another capture.
const recipe = 1

// scene is one frame of the benchmark capture.
type scene struct {
	time  int64 // ns since the start of the day
	round uint32
	take  uint32
	frame uint32
}

// mix is the benchmark capture before it is written: all takes, played in
// rounds by changing devices at random times of one day, until there are
// enough packets.
type mix struct {
	takes  []*take
	firsts []int // device of station 0 in round 0, by take
	scenes []scene
}

func newMix(takes []*take, packets int) *mix {
	if !slices.ContainsFunc(takes, (*take).bulky) {
		panic("no take has long flows") // it would go round for ever
	}
	m := &mix{takes: takes, scenes: make([]scene, 0, packets)}
	sum := 0
	for _, t := range takes {
		m.firsts = append(m.firsts, sum%devices)
		sum += t.count
	}
	random := rand.New(rand.NewPCG(recipe, 0))
	for round := uint32(0); len(m.scenes) < packets; round++ {
		// In another order each time, so that the last round, which is cut
		// short, leaves out any of them.
		for _, i := range random.Perm(len(takes)) {
			if round >= everything && !takes[i].bulky() {
				continue
			}
			frames := takes[i].frames
			start := random.Int64N(int64(day) - frames[len(frames)-1].Time + 1)
			for k := range frames[:min(len(frames), packets-len(m.scenes))] {
				m.scenes = append(m.scenes, scene{start + frames[k].Time, round, uint32(i), uint32(k)})
			}
		}
	}
	slices.SortFunc(m.scenes, func(a, b scene) int {
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.round, b.round), cmp.Compare(a.take, b.take), cmp.Compare(a.frame, b.frame))
	})
	return m
}

// A capture made to show a protocol is mostly handshakes; most packets of a
// home belong to long transfers. So every take is played in the first rounds,
// and only those with many packets a flow in those behind.
const (
	everything = 3  // rounds
	bulk       = 30 // packets a flow
)

func (t *take) bulky() bool { return len(t.frames) >= bulk*t.flows }

// stride is how many devices further each round begins. It is coprime to
// devices, so that each take is played by all of them before one has it twice.
const stride = 61

// WriteTo writes the capture as a classic pcap file with microseconds, which
// every program reads.
func (m *mix) WriteTo(w io.Writer) (int64, error) {
	const (
		magicMicro = 0xa1b2c3d4
		snapLength = 262144
		ethernet   = 1
	)
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC).UnixNano()
	out := bufio.NewWriterSize(w, 1<<20)
	le := binary.LittleEndian
	b := le.AppendUint32(nil, magicMicro)
	b = le.AppendUint16(b, 2)
	b = le.AppendUint16(b, 4)
	b = le.AppendUint64(b, 0)
	b = le.AppendUint32(b, snapLength)
	b = le.AppendUint32(b, ethernet)
	written := int64(len(b))
	if _, err := out.Write(b); err != nil {
		return 0, err
	}
	for _, s := range m.scenes {
		t := m.takes[s.take]
		f := &t.frames[s.frame]
		at := start + s.time
		b = le.AppendUint32(b[:0], uint32(at/int64(time.Second)))
		b = le.AppendUint32(b, uint32(at%int64(time.Second)/int64(time.Microsecond)))
		b = le.AppendUint32(b, uint32(len(f.Data)))
		b = le.AppendUint32(b, uint32(max(f.Length, len(f.Data))))
		head := len(b)
		b = append(b, f.Data...)
		cast{t, (m.firsts[s.take] + int(s.round)*stride) % devices}.play(b[head:])
		written += int64(len(b))
		if _, err := out.Write(b); err != nil {
			return written, err
		}
	}
	return written, out.Flush()
}

// hash tells captures of different takes, sizes and recipes apart.
func (m *mix) hash() string {
	h := sha256.New()
	fmt.Fprintln(h, recipe, devices, stride, everything, bulk, len(m.scenes))
	for _, t := range m.takes {
		fmt.Fprintln(h, t.name, len(t.frames))
		for i := range t.frames {
			f := &t.frames[i]
			fmt.Fprintln(h, f.Time, f.Length, len(f.Data))
			h.Write(f.Data)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

package pipeline

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"gatehouse/capture"
	"gatehouse/flow"
	"gatehouse/wire"
)

// roundsInFlight bounds how far the reader is ahead of the analyst. Offline
// input waits when the analyst is slower: nothing is lost. On two cores 8 take
// 2 % less time than 4, for 4 MiB of memory; 16 gain next to nothing more.
const roundsInFlight = 8

// round is one batch of packets on its way through the shards. Rounds are cut
// by the reader, so that they are the same whatever the number of shards.
type round struct {
	*load
	now    int64          // time of the last packet
	last   bool           // the input ends here
	events [][]flow.Event // of each shard, in order
	order  [][]place      // memory to arrange them with
	stats  []flow.Stats   // of each shard after this round
	done   sync.WaitGroup
	at     Progress // how far the reader is; Flow is left empty
}

// load is what the shards are given of a round.
type load struct {
	batch  capture.Batch
	times  []int64    // analysis time of each packet
	picks  [][]uint32 // packets of each shard; nil where there is one
	deltas [][]uint32 // deltas of each shard; empty where there is one
	first  uint64     // ordinal of the first packet; deltas follow the packets
}

// Flows reads a source to its end through cfg.Workers shards, and gives visit
// the events of each round in the order of flow.Compare, with the statistics
// so far. Very many come in parts; Progress.Now is then the time of the last
// of them. The events are valid during the call only. It returns the error that
// ended the input (nil for its regular end), after everything before it was
// visited, or visit's own. When ctx ends, all flows are ended and visited too,
// and its error is returned.
func Flows(ctx context.Context, src capture.Source, cfg Config, visit func([]flow.Event, Progress) error) error {
	f := &flows{
		cfg:    cfg,
		free:   make(chan *round, roundsInFlight),
		sorted: make(chan *round, roundsInFlight),
	}
	l, ok := src.(light)
	f.joint = ok && l.Light()
	loads := f.prepare()
	stop := make(chan struct{})

	var workers sync.WaitGroup
	var inputs []chan *round
	for i := range cfg.Workers {
		if i == 0 && f.joint {
			continue
		}
		in := make(chan *round, roundsInFlight)
		workers.Go(func() { f.shard(i, in) })
		inputs = append(inputs, in)
	}
	var readErr error
	workers.Go(func() {
		readErr = f.read(ctx, stop, src, inputs)
		for _, in := range inputs {
			close(in)
		}
		close(f.sorted)
	})
	err := f.merge(visit)
	close(stop)
	for range f.sorted { // lets a reader that waits for room see the end
	}
	workers.Wait()
	for _, l := range loads {
		l.batch.Release() // a live source gets its memory back
	}
	if err == nil {
		err = readErr
	}
	return err
}

// Progress is how far a run has come.
type Progress struct {
	Now         int64 // packet time, ns since the Unix epoch
	Flow        flow.Stats
	Repaired    uint64 // packets whose time was implausible
	ClockSteps  uint64
	Read, Total int64               // input bytes; Total is 0 if unknown
	Live        []capture.LiveStats // of each interface, as of the last second; nil for files
	Interfaces  []capture.Interface // that records refer to by index; nil for files
}

// light is a source that may say that reading it is little work: less than to
// hand on what was read.
type light interface{ Light() bool }

// live is what tells a live source from files: it can lose frames, and says so.
type live interface{ Stats() []capture.LiveStats }

// askEvery is how often, in packet time, a live source is asked what it lost.
const askEvery = int64(time.Second)

type flows struct {
	cfg    Config
	clock  Clock
	free   chan *round
	sorted chan *round // in the order of the input
	lost   []capture.LiveStats
	asked  int64  // packet time at which lost was asked for
	seq    uint64 // ordinals given so far

	// joint says that one goroutine reads and is the first shard. What it looks
	// at then need not pass from the cache of one processor to that of another,
	// which on two processors took as long as decoding itself.
	joint   bool
	stopped bool // the source has been told to stop
}

// prepare makes the rounds and what their shards are given: each its own, or
// one for all if no shard can be behind the reader.
func (f *flows) prepare() []*load {
	n := f.cfg.Workers
	loads := make([]*load, roundsInFlight)
	if n == 1 && f.joint {
		loads = loads[:1]
	}
	for i := range loads {
		loads[i] = &load{picks: make([][]uint32, n), deltas: make([][]uint32, n)}
	}
	for i := range roundsInFlight {
		f.free <- &round{
			load:   loads[i%len(loads)],
			events: make([][]flow.Event, n),
			order:  make([][]place, n),
			stats:  make([]flow.Stats, n),
		}
	}
	return loads
}

// read cuts the input into rounds and hands each to all shards. It may be the
// first of them itself.
func (f *flows) read(ctx context.Context, stop <-chan struct{}, src capture.Source, shards []chan *round) error {
	var own *flow.Shard
	if f.joint {
		own = f.newShard()
	}
	for {
		r := f.room(stop)
		if r == nil {
			return nil
		}
		err := f.fill(ctx, src, r)
		if f.cfg.Workers > 1 {
			r.deal(f.cfg.Workers)
		}
		r.done.Add(f.cfg.Workers)
		for _, in := range shards {
			in <- r
		}
		if own != nil {
			f.work(own, 0, r)
		}
		f.sorted <- r
		if err != nil {
			return unlessEOF(err)
		}
	}
}

func unlessEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// room waits for a round that is free again; nil if nobody takes rounds any
// more, which stop says.
func (f *flows) room(stop <-chan struct{}) *round {
	select {
	case r := <-f.free:
		return r
	case <-stop:
		return nil
	}
}

// fill reads the next round. It is the last if there is an error, and may
// still hold something then.
func (f *flows) fill(ctx context.Context, src capture.Source, r *round) error {
	err := f.next(ctx, src, &r.batch)
	r.last = err != nil
	packets := r.batch.Packets
	r.times = f.clock.Stamp(r.times[:0], packets)
	if len(packets) == 0 && r.batch.Now != 0 {
		f.clock.Idle(r.batch.Now)
	}
	for i := range r.batch.Deltas {
		d := &r.batch.Deltas[i]
		d.Begin, d.Last = f.clock.Past(d.Begin), f.clock.Past(d.Last)
	}
	r.now, r.first = f.clock.Now(), f.seq+1
	f.seq += uint64(len(packets) + len(r.batch.Deltas))
	r.at = Progress{Now: r.now, Repaired: f.clock.Repaired, ClockSteps: f.clock.Steps}
	r.at.Read, r.at.Total = src.Progress()
	if r.at.Live = f.losses(src, r.now, r.last); r.at.Live != nil {
		r.at.Interfaces = src.Interfaces()
	}
	return err
}

// stopper is a source that has more to tell when it is told to stop, and then
// ends.
type stopper interface{ Stop() }

// next reads a batch. When ctx has ended, what a source still has comes first.
func (f *flows) next(ctx context.Context, src capture.Source, b *capture.Batch) error {
	if ctx.Err() == nil {
		return src.Read(b)
	}
	s, ok := src.(stopper)
	if !ok {
		b.Release() // the last round is empty
		return ctx.Err()
	}
	if !f.stopped {
		f.stopped = true
		s.Stop()
	}
	err := src.Read(b)
	if errors.Is(err, io.EOF) {
		return ctx.Err()
	}
	return err
}

// losses asks a live source what it lost, once a second and at the end.
func (f *flows) losses(src capture.Source, now int64, last bool) []capture.LiveStats {
	if l, ok := src.(live); ok && (last || now-f.asked >= askEvery) {
		f.lost, f.asked = l.Stats(), now
	}
	return f.lost
}

// deal tells the shards their packets.
func (r *round) deal(n int) {
	for i := range r.picks {
		// Not nil, even if empty: that would mean all packets.
		r.picks[i] = append(r.picks[i][:0], uint32(0))[:0]
		r.deltas[i] = r.deltas[i][:0]
	}
	for i := range r.batch.Packets {
		k := flow.ShardOf(&r.batch.Packets[i], n)
		r.picks[k] = append(r.picks[k], uint32(i))
	}
	for i := range r.batch.Deltas {
		k := flow.ShardOfDelta(&r.batch.Deltas[i], n)
		r.deltas[k] = append(r.deltas[k], uint32(i))
	}
}

// feed gives a shard its part of a round.
func (r *round) feed(shard *flow.Shard, i int) {
	if r.batch.Heads {
		shard.Heads(r.batch.Packets, r.times, r.first, r.picks[i])
	} else {
		shard.Batch(r.batch.Packets, r.times, r.first, r.picks[i])
	}
	after := r.first + uint64(len(r.batch.Packets))
	if r.picks[i] == nil {
		for d := range r.batch.Deltas {
			shard.Delta(&r.batch.Deltas[d], r.now, after+uint64(d))
		}
		return
	}
	for _, d := range r.deltas[i] {
		shard.Delta(&r.batch.Deltas[d], r.now, after+uint64(d))
	}
}

// arrange brings the events of one shard into their order.
func (r *round) arrange(i int) { r.order[i] = arrange(r.events[i], r.order[i]) }

// newShard makes one of Config.Workers flow tables.
func (f *flows) newShard() *flow.Shard {
	cfg := f.cfg.Flow
	n := f.cfg.Workers
	cfg.MaxFlows = max(16, cfg.MaxFlows/n)
	cfg.MaxStreams = max(1, cfg.MaxStreams/n)
	cfg.MaxStreamBytes = max(1<<16, cfg.MaxStreamBytes/n)
	return flow.NewShard(cfg, wire.Table())
}

// shard owns one flow table.
func (f *flows) shard(i int, in <-chan *round) {
	shard := f.newShard()
	for r := range in {
		f.work(shard, i, r)
	}
}

// work takes a shard's part of a round through it.
func (f *flows) work(shard *flow.Shard, i int, r *round) {
	r.feed(shard, i)
	shard.Advance(r.now)
	if r.last {
		shard.Close(r.now)
	}
	r.events[i] = shard.Take(r.events[i])
	if f.cfg.Workers > 1 {
		r.arrange(i)
	}
	r.stats[i] = shard.Stats()
	r.done.Done()
}

// atOnce bounds the events that are given to a visitor in one call, and so the
// memory for merging them: 2 MiB.
const atOnce = 8192

// merge brings the events of each round into one order.
func (f *flows) merge(visit func([]flow.Event, Progress) error) error {
	var m merger
	for r := range f.sorted {
		r.done.Wait()
		p := r.at
		for i := range r.stats {
			p.Flow.Add(&r.stats[i])
		}
		for i := range p.Live {
			hidden := p.Live[i].Hidden
			p.Flow.Packets += hidden
			p.Flow.Refused[flow.NonIP] += hidden
		}
		if f.cfg.Workers == 1 { // the shard has more to do than the analyst
			r.arrange(0)
		}
		m.reset(r.events)
		if err := visitAll(&m, p, visit); err != nil {
			return err
		}
		r.clear()
		if !r.last {
			f.free <- r
		}
	}
	return nil
}

// visitAll gives visit the events of a round, at least once.
func visitAll(m *merger, p Progress, visit func([]flow.Event, Progress) error) error {
	for part := p; ; part = p {
		events := m.take(atOnce)
		more := len(events) == atOnce
		if more {
			part.Now = events[len(events)-1].Time
		}
		if err := visit(events, part); err != nil || !more {
			return err
		}
	}
}

// clear drops the events of a round. Their memory stays for the next, but not
// what a burst took, such as the end of all flows at once.
func (r *round) clear() {
	for i, events := range r.events {
		if cap(events) > 8*atOnce {
			r.events[i] = nil
			continue
		}
		clear(events)
		r.events[i] = events[:0]
	}
}

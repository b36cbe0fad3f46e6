package baseline

import (
	"fmt"
	"slices"
	"time"
)

// Dossier gathers circumstances of a novel destination for DossierLife, in
// which it may become surprising enough to alert.
type Dossier struct {
	Key         Destination `json:"key"`
	Opened      int64       `json:"opened"` // ns since the Unix epoch
	Rate        float64     `json:"rate"`   // of such novelties a day, see NewKeysRate
	Marks       Marks       `json:"marks"`
	Connections int         `json:"n"`
	Last        int64       `json:"last"`           // ns: latest connection
	Gaps        []float64   `json:"gaps,omitempty"` // seconds between connections, the latest maxGaps
}

const (
	// DossierLife is how long circumstances are gathered.
	DossierLife = 7 * 24 * time.Hour
	// maxGaps bounds Dossier.Gaps.
	maxGaps = 32
	// RhythmAfter is the number of connections from which their rhythm and
	// number are judged.
	RhythmAfter = 8
	// oneAttempt is the gap up to which connections are one: a client that gets
	// no answer tries again every second or so, as regular as any beacon.
	oneAttempt = time.Minute
)

// Connect notes a connection at t (ns since the Unix epoch) and reports
// whether the rhythm should be judged now: at 8, 16, 32... connections, so
// that a thousand connections are ten looks and not a thousand.
// Those less than oneAttempt after the one before count as one with it.
func (d *Dossier) Connect(t int64) bool {
	if d.Connections > 0 {
		if gap := t - d.Last; gap >= 0 && gap < int64(oneAttempt) {
			return false
		}
		if len(d.Gaps) == maxGaps {
			copy(d.Gaps, d.Gaps[1:])
			d.Gaps = d.Gaps[:maxGaps-1]
		}
		d.Gaps = append(d.Gaps, time.Duration(max(0, t-d.Last)).Seconds())
	}
	d.Last = max(d.Last, t)
	d.Connections++
	n := d.Connections
	return n >= RhythmAfter && n&(n-1) == 0
}

// P is the p-value of the novelty in its circumstances: of its marks and, from
// RhythmAfter connections on, of how regular and how many they are. Marks are
// discrete and judged exactly by the table, the rest is continuous and joins
// them by Fisher's method.
func (d *Dossier) P(marks *MarkTable) float64 {
	share := marks.P(d.Marks)
	if d.Connections >= RhythmAfter {
		evidence := []float64{Regularity(d.Gaps), min(1, float64(RhythmAfter)/float64(d.Connections))}
		if d.Marks != 0 {
			evidence = append(evidence, share)
		}
		share = min(share, Fisher(evidence...))
	}
	return AtLeastOne(d.Rate, share)
}

// validate checks what was read back.
func (d *Dossier) validate() error {
	if d.Opened < 0 || d.Last < 0 || !(d.Rate >= 0) || d.Connections < 0 || len(d.Gaps) > maxGaps {
		return fmt.Errorf("dossier out of range: opened %d, last %d, rate %g, %d connections, %d gaps",
			d.Opened, d.Last, d.Rate, d.Connections, len(d.Gaps))
	}
	return nil
}

// Dossier returns the open dossier of a key, nil if there is none. It is valid
// until the next call of Dossier or OpenDossier.
func (m *Model) Dossier(key Destination, now int64) *Dossier {
	i := slices.IndexFunc(m.Dossiers, func(d Dossier) bool { return d.Key == key })
	if i < 0 {
		return nil
	}
	if age := now - m.Dossiers[i].Opened; age > int64(DossierLife) || age < -int64(DossierLife) { // or the clock was set
		m.Dossiers = slices.Delete(m.Dossiers, i, i+1)
		return nil
	}
	return &m.Dossiers[i]
}

// OpenDossier opens a dossier; when there are too many the one that has been
// open for longest is dropped. It is valid until the next call of Dossier or
// OpenDossier.
func (m *Model) OpenDossier(key Destination, now int64, rate float64) *Dossier {
	if len(m.Dossiers) == maxDossiers {
		m.Dossiers = slices.Delete(m.Dossiers, 0, 1)
	}
	m.Dossiers = append(m.Dossiers, Dossier{Key: key, Opened: now, Rate: rate})
	return &m.Dossiers[len(m.Dossiers)-1]
}

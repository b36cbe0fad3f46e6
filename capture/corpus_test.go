package capture

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"gatehouse/internal/testkit"
)

// corpusFiles returns every file of the corpus, captures and others.
func corpusFiles(tb testing.TB) []string {
	tb.Helper()
	var files []string
	err := filepath.WalkDir(testkit.Corpus(tb), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

// openOracle opens path with gopacket's reader, of which each call returns one
// packet and its link type.
func openOracle(path string) (next func() ([]byte, gopacket.CaptureInfo, LinkType, error), err error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(file) >= 4 && le.Uint32(file) == blockSection {
		r, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.NgReaderOptions{WantMixedLinkType: true})
		if err != nil {
			return nil, err
		}
		return func() ([]byte, gopacket.CaptureInfo, LinkType, error) {
			data, info, err := r.ReadPacketData()
			if err != nil {
				return nil, info, 0, err
			}
			return data, info, LinkType(info.AncillaryData[0].(layers.LinkType)), nil
		}, nil
	}
	r, err := pcapgo.NewReader(bufio.NewReader(bytes.NewReader(file)))
	if err != nil {
		return nil, err
	}
	r.SetSnaplen(maxPacket) // like ours, believe packets beyond the snap length
	return func() ([]byte, gopacket.CaptureInfo, LinkType, error) {
		data, info, err := r.ReadPacketData()
		return data, info, LinkType(r.LinkType()), err
	}, nil
}

// given every capture of the corpus
// when it is read by us and by gopacket
// then as far as gopacket gets, packets, times and link types are the same,
// and we find no damage where gopacket finds the end
func TestCorpusAgainstGopacket(t *testing.T) {
	packets, oracleErrors, ourErrors := 0, 0, 0
	for _, path := range corpusFiles(t) {
		src, err := Open([]string{path})
		oracle, oracleErr := openOracle(path)
		if err != nil {
			var format *FormatError
			if !errors.As(err, &format) {
				t.Errorf("%s: error is not a FormatError", err)
			}
			if oracleErr == nil {
				t.Errorf("%v, but gopacket reads it", err)
			}
			continue
		}
		got, err := readAll(t, src)
		src.Close()
		if err != nil {
			ourErrors++
		}
		if oracleErr != nil {
			oracleErrors++
			continue
		}
		for i := 0; ; i++ {
			data, info, link, oracleErr := oracle()
			if oracleErr != nil {
				if oracleErr == io.EOF && err == nil && i != len(got) {
					t.Errorf("%s: %d packets, gopacket reads %d", path, len(got), i)
				}
				if oracleErr != io.EOF {
					oracleErrors++
				}
				break
			}
			if i >= len(got) {
				t.Errorf("%s: only %d packets (%v), gopacket reads more", path, len(got), err)
				break
			}
			if diff := differs(&got[i], data, info, link); diff != "" {
				t.Errorf("%s: packet %d: %s", path, i+1, diff)
				break
			}
			packets++
		}
	}
	t.Logf("%d packets compared; %d files that gopacket does not read to the end, %d that we do not", packets, oracleErrors, ourErrors)
	if packets == 0 {
		t.Error("nothing was compared")
	}
}

func differs(p *Packet, data []byte, info gopacket.CaptureInfo, link LinkType) string {
	switch {
	case !bytes.Equal(p.Data, data):
		return fmt.Sprintf("%d bytes differ from the %d of gopacket", len(p.Data), len(data))
	case p.Length != min(info.Length, math.MaxInt32):
		return fmt.Sprintf("length %d, gopacket %d", p.Length, info.Length)
	case p.Link&0xff != linkTypeOf(uint32(link))&0xff: // gopacket keeps 8 bits
		return fmt.Sprintf("link type %d, gopacket %d", p.Link, link)
	case info.Timestamp.IsZero(): // simple packet block
		return ""
	case (p.Time-info.Timestamp.UnixNano())%(1<<32) != 0: // gopacket keeps 32 bits of the nanoseconds
		return fmt.Sprintf("time %v, gopacket %v", time.Unix(0, p.Time).UTC(), info.Timestamp)
	default:
		return ""
	}
}

// given all captures of the corpus at once
// when they are merged
// then each packet comes once, on an interface of its own file
func TestCorpusMerged(t *testing.T) {
	var names []string
	want := 0
	damaged := false
	for _, path := range corpusFiles(t) {
		src, err := Open([]string{path})
		if err != nil {
			continue
		}
		packets, err := readAll(t, src)
		src.Close()
		damaged = damaged || err != nil
		names = append(names, path)
		want += len(packets)
	}
	src, err := Open(names)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var batch Batch
	got := 0
	for err == nil {
		err = src.Read(&batch)
		got += len(batch.Packets)
	}
	if got != want {
		t.Errorf("%d packets, want %d", got, want)
	}
	if damaged == errors.Is(err, io.EOF) {
		t.Errorf("damaged files: %v, but the merge ended with %v", damaged, err)
	}
}

// Command ouigen writes the table of hardware vendors that package device
// embeds. It reads the IEEE registries as Debian's ieee-data package installs
// them (oui.csv, mam.csv, oui36.csv, iab.csv) and writes one compressed file;
// the same input gives the same bytes.
//
// Format, before DEFLATE (all numbers are unsigned varints):
//
//	version, count of names, names (length, bytes) in order
//	three sections, for prefixes of 24, 28 and 36 bits:
//	    count, then per prefix: difference to the one before, index of its name
package main

import (
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// formatVersion is checked by the reader in package device.
const formatVersion = 1

// assignment is one row of a registry.
type assignment struct {
	prefix uint64
	name   string
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("ouigen: ")
	in := flag.String("in", "/usr/share/ieee-data", "folder with the IEEE registries as CSV")
	out := flag.String("out", "oui.bin", "file to write")
	flag.Parse()
	if err := run(*in, *out); err != nil {
		log.Fatal(err)
	}
}

func run(in, out string) error {
	// The IAB registry was closed in favour of MA-S; both assign 36 bits.
	sections := []struct {
		bits  int
		files []string
	}{
		{24, []string{"oui.csv"}},
		{28, []string{"mam.csv"}},
		{36, []string{"iab.csv", "oui36.csv"}},
	}
	tables := make([][]assignment, len(sections))
	for i, s := range sections {
		for _, f := range s.files {
			rows, err := readRegistry(filepath.Join(in, f), s.bits)
			if err != nil {
				return err
			}
			tables[i] = append(tables[i], rows...)
		}
		tables[i] = distinct(tables[i])
	}
	data, err := encode(tables)
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, data, 0o644); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	for i, s := range sections {
		log.Printf("%d prefixes of %d bits", len(tables[i]), s.bits)
	}
	log.Printf("%s: %d bytes", out, len(data))
	return nil
}

// readRegistry returns the named assignments of one CSV file: registry,
// assignment in hex, organisation, address.
func readRegistry(path string, bits int) ([]assignment, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open registry: %w", err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord = -1
	r.LazyQuotes = true
	var rows []assignment
	for line := 0; ; line++ {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		if line == 0 || len(rec) < 3 {
			continue // the header
		}
		p, err := strconv.ParseUint(rec[1], 16, 64)
		if err != nil || len(rec[1])*4 != bits {
			return nil, fmt.Errorf("%s: assignment %q is not %d bits of hex", path, rec[1], bits)
		}
		if name := shorten(rec[2]); name != "" {
			rows = append(rows, assignment{p, name})
		}
	}
}

// distinct sorts by prefix and keeps the last row of each: a prefix that was
// registered twice (there are a few) belongs to the later registry.
func distinct(rows []assignment) []assignment {
	slices.SortStableFunc(rows, func(a, b assignment) int { return cmp.Compare(a.prefix, b.prefix) })
	out := rows[:0]
	for i, r := range rows {
		if i+1 < len(rows) && rows[i+1].prefix == r.prefix {
			continue
		}
		out = append(out, r)
	}
	return out
}

func encode(tables [][]assignment) ([]byte, error) {
	var names []string
	for _, t := range tables {
		for _, a := range t {
			names = append(names, a.name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > 1<<16 {
		return nil, fmt.Errorf("%d names do not fit 16 bits", len(names))
	}

	raw := binary.AppendUvarint(nil, formatVersion)
	raw = binary.AppendUvarint(raw, uint64(len(names)))
	for _, n := range names {
		raw = binary.AppendUvarint(raw, uint64(len(n)))
		raw = append(raw, n...)
	}
	for _, t := range tables {
		raw = binary.AppendUvarint(raw, uint64(len(t)))
		var prev uint64
		for _, a := range t {
			i, _ := slices.BinarySearch(names, a.name)
			raw = binary.AppendUvarint(raw, a.prefix-prev)
			raw = binary.AppendUvarint(raw, uint64(i))
			prev = a.prefix
		}
	}

	var buf bytes.Buffer
	w, err := flate.NewWriter(&buf, flate.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("compress table: %w", err)
	}
	if _, err := w.Write(raw); err != nil {
		return nil, fmt.Errorf("compress table: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress table: %w", err)
	}
	return buf.Bytes(), nil
}

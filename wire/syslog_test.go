package wire

import (
	"strings"
	"testing"
)

func TestSyslogDates(t *testing.T) {
	for in, want := range map[string]Syslog{
		"<14>2026-03-14T09:26:53.699793+01:00 camera su[1]: x": {Facility: 1, Severity: 6, Host: "camera", Program: "su"},
		"<14>2026-03-14T09:26:53Z camera su: x":                {Facility: 1, Severity: 6, Host: "camera", Program: "su"},
		"<14>Mar 14 09:26:53 2026 camera su: x":                {Facility: 1, Severity: 6, Host: "camera", Program: "su"},
		"<14>Mar 14 09:26:53 3com su: x":                       {Facility: 1, Severity: 6, Host: "3com", Program: "su"},
		"<14>2026-03-14 09:26:53 camera su: x":                 {Facility: 1, Severity: 6}, // not of RFC 3339
		"<14>Mar 14 09:26:53 2026":                             {Facility: 1, Severity: 6},
	} {
		msgs, err := newSyslogFlow().Datagram(FromClient, []byte(in), nil)
		if err != nil || len(msgs) != 1 || *msgs[0].(*Syslog) != want {
			t.Errorf("%q: got %+v, %v", in, msgs, err)
		}
	}
}

func TestSyslogStream(t *testing.T) {
	su, cron := &Syslog{Facility: 4, Severity: 2, Host: "camera", Program: "su"}, &Syslog{Facility: 1, Severity: 5, Host: "camera", Program: "cron", Version: 1}
	const old, modern = "<34>Oct 11 22:14:15 camera su: x", "<13>1 2026-03-14T09:26:53Z camera cron - - - x"
	long := "<34>Oct 11 22:14:15 camera su: " + strings.Repeat("x", 5000)
	playAll(t, newSyslogStream, []dialogue{
		{"lines", []chunk{{FromClient, []byte(old + "\n" + old + "\r\n" + modern + "\n")}}, []Message{su, cron}, nil},
		{"lengths, and a line end within", []chunk{{FromClient, []byte("34 " + old + "\n\n46 " + modern + "34 " + old + "\n<")}}, []Message{su, cron}, nil},
		{"long ones", []chunk{{FromClient, []byte(long + "\n5031 " + long + modern + "\n")}}, []Message{su, cron}, nil},
		{"the last line has no end", []chunk{{FromClient, []byte(modern)}}, []Message{cron}, nil},
		{"the last message is cut off", []chunk{{FromClient, []byte("46 " + modern[:40])}}, nil, nil},
		{"another protocol follows", []chunk{{FromClient, []byte(old + "\nGET / HTTP/1.1\r\n")}}, []Message{su}, ErrMalformed},
		{"no priority", []chunk{{FromClient, []byte(old + "\n<999>Oct 11 22:14:15 a b: c\n")}}, []Message{su}, ErrMalformed},
		{"a length of nothing", []chunk{{FromClient, []byte(old + "\n0 " + modern)}}, []Message{su}, ErrMalformed},
	})
	for in, want := range map[string]Match{
		old: Yes, modern: Yes, "46 " + modern: Yes, "<14>2026-03-14T09:26:53Z a b: c": Yes,
		"4": Maybe, "46 ": Maybe, "46 <1": Maybe, "<34>Oct 1": Maybe, "<14>2026-03": Maybe,
		"<html>": No, "<?xml": No, "<34>text": No, "<999>": No, "46 M": No, "0 <": No, "123456 <": No, "GET ": No,
		"<34>October is a month, of which there are twelve, all with names of their own": No,
	} {
		if got := sniffSyslogStream(FromClient, []byte(in)); got != want {
			t.Errorf("%q: got %v, want %v", in, got, want)
		}
		for n := 1; want == Yes && n < len(in); n++ {
			if sniffSyslogStream(FromClient, []byte(in[:n])) == No {
				t.Errorf("No to %q", in[:n])
			}
		}
	}
}

func FuzzSyslogStream(f *testing.F) {
	fuzzLines(f, newSyslogStream, 601, []byte("46 <13>1 2026-03-14T09:26:53Z camera cron - - - x<13>"), []byte("<34>Oct 11 22:14:15 2026 camera su: x\n"))
}

func BenchmarkSyslogStream(b *testing.B) {
	lines := []byte(strings.Repeat("<34>Oct 11 22:14:15 camera su: something has happened, and then something else\n", 100))
	b.ReportAllocs()
	b.SetBytes(int64(len(lines)))
	s := newSyslogStream()
	for b.Loop() {
		if _, _, err := s.Feed(FromClient, lines, nil); err != nil {
			b.Fatal(err)
		}
	}
}

package wire

import (
	"bytes"
	"testing"
)

func TestMaskSQL(t *testing.T) {
	for in, want := range map[string]string{
		"select * from rules where sid = 2021701;":      "select * from rules where sid = 2021701;",
		"INSERT INTO t VALUES('Remus', 'a@b.example');": "INSERT INTO t VALUES('?', '?');",
		"ALTER ROLE anna PASSWORD 'it''s secret' LOGIN": "ALTER ROLE anna PASSWORD '?' LOGIN",
		"SELECT E'a\\'b', 'c'":                          "SELECT E'?', '?'",
		"SELECT like'a\\\\' , 'b'":                      "SELECT like'?' , '?'",
		"SELECT 'a\\' , 'b'":                            "SELECT '?'", // a string of three characters, or of eight
		"SELECT \"o'brien\" FROM x WHERE y = 'z'":       "SELECT \"o'brien\" FROM x WHERE y = '?'",
		"DO $$ BEGIN 'x' END $$; SELECT $1":             "DO '?'; SELECT $1",
		"SELECT $a$ it's $$ $a$, 'b'":                   "SELECT '?', '?'",
		"-- don't\nSELECT 'b' -- c":                     "SELECT '?' ",
		"/* a /* b's */ c */SELECT\r\n\t 1":             "SELECT 1",
		"VALUES (4111111111111111, 1234567)":            "VALUES (?, 1234567)",
		"SELECT 'cut":                                   "SELECT '?'",
		"SELECT $$cut":                                  "SELECT '?'",
		"SELECT \"cut":                                  "SELECT \"cut",
		"/* cut":                                        "",
		"a - b / c":                                     "a - b / c",
		"":                                              "",
	} {
		if got := string(maskSQL(nil, []byte(in))); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// FuzzMaskSQL: a masked statement is masked, whatever it was.
func FuzzMaskSQL(f *testing.F) {
	for _, s := range []string{"SELECT 'a', E'b\\'', $x$ c $x$, \"d\" -- e", "'", "/*/**/*/ 12345678901", "$$$$", "E'\\"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		once := maskSQL(nil, b)
		if len(once) > 3*len(b) {
			t.Errorf("%d bytes of %d", len(once), len(b))
		}
		if twice := maskSQL(nil, once); !bytes.Equal(once, twice) {
			t.Errorf("%q, then %q", once, twice)
		}
	})
}

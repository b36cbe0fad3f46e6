// Package eval measures detection: how many alerts benign traffic raises, and
// how many attacks are found how soon. It owns the splicer, which puts a real
// attack into the week of a real device, and the tables in docs/evaluation.md.
//
// It promises that the same captures and the same seeds give the same numbers,
// and that a number that gets worse fails a test. All of it is test code: it
// looks at the whole line from packets to alerts, and nothing ships.
package eval

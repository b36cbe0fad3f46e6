// Package bench measures Gatehouse beside the programs that its users know, on
// one capture of a busy home. It owns the recipe of that capture, the stopwatch
// and the tables in docs/performance.md.
//
// It promises that the same takes give the same capture byte for byte, and
// that every program is measured in the same run, in turns, on the same file.
// All of it is test code: it starts other programs, and nothing ships.
package bench

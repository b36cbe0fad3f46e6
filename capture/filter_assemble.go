package capture

import (
	"fmt"

	"golang.org/x/net/bpf"
)

// maxProgram is the greatest number of instructions that Linux accepts
// (BPF_MAXINSNS).
const maxProgram = 4096

// label is a place in a program that jumps go to.
type label int

// line is an instruction, or a jump to labels that have no place yet.
type line struct {
	bpf.Instruction
	jump  bool
	cond  bpf.JumpTest
	value uint32
	byX   bool  // compare with X instead of value
	yes   label // where to go on
	no    label
	far   bool // a target is out of a conditional jump's reach of 255
}

// size is how many instructions the line becomes.
func (l *line) size() int {
	if l.far {
		return 3
	}
	return 1
}

// assembler collects a program whose jumps are resolved at the end. All jumps
// of classic BPF go forward.
type assembler struct {
	lines  []line
	labels []int // label -> index into lines
}

func (a *assembler) newLabel() label {
	a.labels = append(a.labels, -1)
	return label(len(a.labels) - 1)
}

// place makes l stand for what is emitted next.
func (a *assembler) place(l label) { a.labels[l] = len(a.lines) }

func (a *assembler) emit(ins ...bpf.Instruction) {
	for _, i := range ins {
		a.lines = append(a.lines, line{Instruction: i})
	}
}

// when goes on at yes if A compares to value as cond says, else at no.
func (a *assembler) when(cond bpf.JumpTest, value uint32, yes, no label) {
	a.lines = append(a.lines, line{jump: true, cond: cond, value: value, yes: yes, no: no})
}

// whenX is when with register X for a value.
func (a *assembler) whenX(cond bpf.JumpTest, yes, no label) {
	a.lines = append(a.lines, line{jump: true, cond: cond, byX: true, yes: yes, no: no})
}

func (a *assembler) jump(to label) {
	a.when(bpf.JumpEqual, 0, to, to)
}

// assemble resolves the jumps. A conditional jump reaches 255 instructions
// ahead; one that must reach further becomes a jump over two unconditional
// ones. As that moves others apart, it is repeated until nothing changes.
func (a *assembler) assemble() ([]bpf.Instruction, error) {
	const reach = 255
	at := make([]int, len(a.lines)+1)
	for changed := true; changed; {
		changed = false
		for i := range a.lines {
			at[i+1] = at[i] + a.lines[i].size()
		}
		for i := range a.lines {
			l := &a.lines[i]
			if !l.jump || l.far || l.yes == l.no {
				continue
			}
			if max(at[a.labels[l.yes]], at[a.labels[l.no]])-at[i+1] > reach {
				l.far, changed = true, true
			}
		}
	}
	if n := at[len(a.lines)]; n > maxProgram {
		return nil, fmt.Errorf("%w: it becomes %d instructions, the kernel takes %d", ErrFilter, n, maxProgram)
	}
	out := make([]bpf.Instruction, 0, at[len(a.lines)])
	for i := range a.lines {
		l := &a.lines[i]
		if !l.jump {
			out = append(out, l.Instruction)
			continue
		}
		yes, no := at[a.labels[l.yes]]-at[i+1], at[a.labels[l.no]]-at[i+1]
		switch {
		case yes == no:
			out = append(out, bpf.Jump{Skip: uint32(yes)})
		case l.far:
			out = append(out, l.conditional(0, 1),
				bpf.Jump{Skip: uint32(yes + 1)}, bpf.Jump{Skip: uint32(no)})
		default:
			out = append(out, l.conditional(uint8(yes), uint8(no)))
		}
	}
	return out, nil
}

func (l *line) conditional(yes, no uint8) bpf.Instruction {
	if l.byX {
		return bpf.JumpIfX{Cond: l.cond, SkipTrue: yes, SkipFalse: no}
	}
	return bpf.JumpIf{Cond: l.cond, Val: l.value, SkipTrue: yes, SkipFalse: no}
}

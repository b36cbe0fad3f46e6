package wire

import (
	"bytes"
	"math"
)

// bodyTold appends the end of a body that was counted.
func (h *httpHalf) bodyTold(msgs []Message) []Message {
	if !h.counted {
		return msgs
	}
	h.counted = false
	if h.size < 0 || h.size == math.MaxInt64 { // nobody said what never came
		return msgs
	}
	return append(msgs, &HTTPBody{Length: h.size})
}

// unsure reports whether a body is to begin of which nobody knows if it comes.
func (h *httpHalf) unsure() bool { return h.unasked && h.size == 0 && h.phase != phaseHead }

// answersHead looks for the next response where a body was announced: then
// what was asked for was only the head.
func (h *httpHalf) answersHead(b []byte) Match {
	m := sniffStatusLine(b)
	switch m {
	case Yes:
		h.phase, h.left, h.counted, h.unasked = phaseHead, 0, false, false
	case No:
		h.unasked = false
	case Maybe:
	}
	return m
}

// body consumes up to n bytes of a body or chunk.
func (h *httpHalf) body(n int) int {
	used := int(min(int64(n), h.left))
	h.left -= int64(used)
	h.size += int64(used)
	if h.left == 0 {
		h.bodyEnd()
	}
	return used
}

func (h *httpHalf) bodyEnd() {
	if h.phase == phaseChunk {
		h.phase = phaseChunkSize
	} else {
		h.phase = phaseHead
	}
}

// chunkSize reads a chunk header: hex digits, then extensions (RFC 9112
// section 7.1). The line end that closes the chunk before is passed over.
func (h *httpHalf) chunkSize(b []byte) (int, error) {
	skipped := len(b) - len(skipEmptyLines(b))
	line := b[skipped:]
	end := bytes.IndexByte(line[:min(len(line), maxChunkLine)], '\n')
	if end < 0 {
		if len(line) >= maxChunkLine {
			return skipped, errHTTPChunk
		}
		return skipped, nil
	}
	size, digits := int64(0), 0
	for ; digits < end && isHex(line[digits]); digits++ {
		if size > math.MaxInt64>>8 {
			return skipped, errHTTPChunk
		}
		size = size<<4 | int64(hexValue(line[digits]))
	}
	if digits == 0 {
		return skipped, errHTTPChunk
	}
	h.left, h.phase = size, phaseChunk
	if size == 0 {
		h.phase = phaseTrailer
	}
	return skipped + end + 1, nil
}

// trailer passes over lines until an empty one.
func (h *httpHalf) trailer(b []byte) (int, error) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		if len(b) > maxHTTPHead {
			return 0, errHTTPLong
		}
		return 0, nil
	}
	if end == 0 || end == 1 && b[0] == '\r' {
		h.phase = phaseHead
	}
	return end + 1, nil
}

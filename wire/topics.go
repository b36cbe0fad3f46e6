package wire

// topicSet remembers topics by their hash.
type topicSet []uint64

// add reports whether the topic, with a few bytes that tell it from others of
// this name, is new and there is room for it.
func (s *topicSet) add(topic []byte, more ...byte) bool {
	// FNV-1a: a collision hides one topic from the log, no more.
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for _, c := range topic {
		h = (h ^ uint64(c)) * prime
	}
	for _, c := range more {
		h = (h ^ uint64(c)) * prime
	}
	for _, have := range *s {
		if have == h {
			return false
		}
	}
	if len(*s) == maxMQTTTopics {
		return false
	}
	*s = append(*s, h)
	return true
}

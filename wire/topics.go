package wire

// topicSet remembers topics by their hash.
type topicSet []uint64

// add reports whether the topic is new and there is room for it.
func (s *topicSet) add(topic []byte) bool {
	// FNV-1a: a collision hides one topic from the log, no more.
	h := uint64(14695981039346656037)
	for _, c := range topic {
		h = (h ^ uint64(c)) * 1099511628211
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

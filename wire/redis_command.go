package wire

import "bytes"

// request reads one request as far as it is of interest; 0 bytes if more is
// needed.
func (s *redisStream) request(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	if b[0] != '*' {
		return s.inline(dir, b, msgs)
	}
	count, used, ok := respLength(b[1:])
	switch {
	case !ok:
		return 0, msgs, errRedisLength
	case used == 0:
		return 0, msgs, nil
	case count <= 0:
		return 1 + used, msgs, nil
	}
	used++
	var room [maxRedisWords][]byte
	words, want := room[:0], 1
	for len(words) < want && int64(len(words)) < count {
		w, n, err := respWord(b[used:])
		if err != nil || n == 0 {
			return 0, msgs, err
		}
		if n < 0 {
			break // too long to be of interest
		}
		words, used = append(words, w), used+n
		if len(words) == 1 {
			want = redisWants(w)
		}
	}
	s.side[dir].elements = count - int64(len(words))
	if len(words) > 0 && redisName(words[0]) {
		msgs = s.command(dir, words, count, msgs)
	}
	s.waiting++
	s.asked = true
	return used, msgs, nil
}

// redisWants is how many words of a request are of interest.
func redisWants(name []byte) int {
	switch {
	case isWord(name, "AUTH"):
		return 3
	case isWord(name, "HELLO"):
		return maxRedisWords
	case command(name, redisContainers) != "":
		return 2
	}
	return 1
}

// respWord reads a string of a request: n is 0 if more is needed, negative if
// the string is longer than maxRedisWord.
func respWord(b []byte) (w []byte, n int, err error) {
	if len(b) == 0 {
		return nil, 0, nil
	}
	size, n, ok := respLength(b[1:])
	switch {
	case b[0] != '$' || !ok || n > 0 && size < 0:
		return nil, 0, errRedisLength
	case n == 0:
		return nil, 0, nil
	case size > maxRedisWord:
		return nil, -1, nil
	}
	end := 1 + n + int(size)
	if len(b) < end+2 {
		return nil, 0, nil
	}
	return b[1+n : end], end + 2, nil
}

// inline reads a request as a line of text, which people and scanners type.
func (s *redisStream) inline(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	if c := b[0]; c != '\r' && c != '\n' && (c|0x20 < 'a' || c|0x20 > 'z') {
		return 0, msgs, errRedisKind
	}
	line := b[:min(len(b), maxRedisWord)]
	end := bytes.IndexByte(line, '\n')
	if end < 0 && len(line) < maxRedisWord {
		return 0, msgs, nil
	}
	used := end + 1
	if end < 0 {
		s.side[dir].line, used = true, len(line)
	}
	var room [maxRedisWords][]byte
	words := room[:0]
	for rest := bytes.TrimRight(line[:used], "\r\n"); len(rest) > 0 && len(words) < maxRedisWords; {
		var w []byte
		if w, rest = word(rest); len(w) > 0 {
			words = append(words, bytes.Trim(w, `"'`))
		}
	}
	if len(words) == 0 {
		return used, msgs, nil // an empty line is not answered
	}
	if command(words[0], redisCommands) != "" {
		msgs = s.command(dir, words, int64(len(words)), msgs)
	}
	s.waiting++
	s.asked = true
	return used, msgs, nil
}

// command notes a request, of whose words those of interest are given.
func (s *redisStream) command(dir Dir, words [][]byte, count int64, msgs []Message) []Message {
	var room [2*maxRedisName + 1]byte
	name := appendUpper(room[:0], words[0])
	if len(words) > 1 && redisName(words[1]) && command(words[0], redisContainers) != "" {
		name = appendUpper(append(name, ' '), words[1])
	}
	if s.said.add(name) {
		msgs = append(msgs, &Redis{Command: string(name)})
	}
	switch string(name) {
	case "AUTH":
		if count == 2 || count == 3 {
			return s.login(dir, false, words[1:], int(count)-1, msgs)
		}
	case "HELLO":
		for i, w := range words {
			if i >= 2 && isWord(w, "AUTH") && count >= int64(i+3) {
				return s.login(dir, true, words[i+1:min(i+3, len(words))], 2, msgs)
			}
		}
	}
	return msgs
}

// login notes an attempt: a secret, or an account and its secret. Words that
// were too long to be read are not among those given.
func (s *redisStream) login(dir Dir, hello bool, words [][]byte, want int, msgs []Message) []Message {
	l := &Login{Service: "redis", Mechanism: "password", Clear: true}
	var user []byte
	if want == 2 && len(words) > 0 {
		user = words[0]
		l.User = userText(user)
	}
	if len(words) == want {
		secret := words[want-1]
		l.Clear = len(secret) > 0
		// "default" is the account that a secret alone is for.
		l.Default = factoryDefault(user, secret) || string(user) == "default" && factoryDefault(nil, secret)
	}
	s.ahead, s.hello = s.waiting, hello
	return s.attempt.begin(dir, l, msgs)
}

func appendUpper(to, b []byte) []byte {
	for _, c := range b {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		to = append(to, c)
	}
	return to
}

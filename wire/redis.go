package wire

import (
	"bytes"
	"fmt"
	"math"
)

// RESP2 and RESP3, which Redis, Valkey, KeyDB and Dragonfly speak
// (https://redis.io/docs/latest/develop/reference/protocol-spec/).

// Redis is a command that is asked for, or a kind of error that is answered,
// for the first time on a connection. Keys and values are passed over.
type Redis struct {
	Command string // upper case, with its subcommand: "GET", "CONFIG SET"; "" in an error
	Error   string // first word of the error: "NOAUTH", "WRONGPASS", "ERR"; "" in a command
}

// Protocol implements Message.
func (*Redis) Protocol() string { return "redis" }

const (
	// maxRedisWord bounds the words that are read: a name, an account, a secret.
	maxRedisWord = 512
	// maxRedisWords are those of HELLO 3 AUTH user secret SETNAME name.
	maxRedisWords = 7
	maxRedisName  = 32

	// redisCommands tells a request from an array that a server answers. On a
	// line of text nothing else is taken for a command.
	redisCommands = "GET SET AUTH HELLO PING INFO COMMAND CONFIG CLIENT SELECT ECHO QUIT DEL EXISTS EXPIRE PEXPIRE TTL PTTL TYPE " +
		"KEYS SCAN MGET MSET SETEX PSETEX SETNX GETSET GETDEL GETEX INCR INCRBY DECR DECRBY APPEND STRLEN GETRANGE SETRANGE " +
		"HGET HSET HMGET HMSET HGETALL HDEL HEXISTS HINCRBY HKEYS HVALS HLEN HSCAN HSETNX LPUSH RPUSH LPOP RPOP LRANGE LLEN " +
		"LTRIM LREM LINDEX LSET BLPOP BRPOP BLMOVE LMOVE RPOPLPUSH BRPOPLPUSH SADD SREM SMEMBERS SISMEMBER SCARD SPOP SSCAN " +
		"SINTER SUNION SDIFF ZADD ZREM ZRANGE ZRANGEBYSCORE ZREVRANGE ZREVRANGEBYSCORE ZREMRANGEBYSCORE ZCARD ZSCORE ZCOUNT " +
		"ZINCRBY ZRANK ZSCAN ZPOPMIN BZPOPMIN XADD XREAD XREADGROUP XACK XRANGE XLEN XDEL XTRIM XGROUP XINFO XAUTOCLAIM " +
		"PUBLISH SUBSCRIBE PSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE SSUBSCRIBE PUBSUB MULTI EXEC DISCARD WATCH UNWATCH EVAL EVALSHA " +
		"FCALL SCRIPT FUNCTION MODULE ACL DEBUG MONITOR SLAVEOF REPLICAOF REPLCONF PSYNC SYNC FLUSHALL FLUSHDB SAVE BGSAVE " +
		"BGREWRITEAOF LASTSAVE SHUTDOWN DBSIZE RANDOMKEY RENAME RENAMENX DUMP RESTORE MIGRATE OBJECT MEMORY LATENCY SLOWLOG " +
		"ROLE TIME WAIT CLUSTER ASKING READONLY READWRITE SENTINEL FAILOVER SORT UNLINK TOUCH COPY MOVE PERSIST GEOADD PFADD RESET"
	// redisContainers are the commands whose second word says what they do.
	redisContainers = "CONFIG CLIENT COMMAND ACL MODULE SCRIPT FUNCTION DEBUG CLUSTER MEMORY LATENCY OBJECT PUBSUB SLOWLOG XGROUP XINFO SENTINEL"
)

var (
	errRedisLength = fmt.Errorf("read redis value: not a length: %w", ErrMalformed)
	errRedisKind   = fmt.Errorf("read redis value: no such type: %w", ErrMalformed)
)

type redisStream struct {
	known   bool // who is the client
	client  Dir
	asked   bool // a request was read
	ending  bool // nothing more will come
	side    [2]respSide
	waiting int // requests that were not answered yet
	ahead   int // of these, how many were asked before the login under way
	hello   bool
	denied  bool
	attempt attempt
	said    topicSet
	errors  topicSet
}

// respSide is where a direction is within a value.
type respSide struct {
	skip     int64 // bytes of a string, still to come
	elements int64 // values of an array, at whatever depth, still to come
	line     bool  // the rest of a long line is being passed over
}

func newRedisStream() Stream { return &redisStream{} }

var (
	_ Flusher = (*redisStream)(nil)
	_ Skipper = (*redisStream)(nil)
)

// redisGreetings begin what only these servers answer, to a request in RESP or
// in a line of text, which itself may be of many protocols.
var redisGreetings = [...]string{
	"-NOAUTH ", "-DENIED Redis ", "-WRONGPASS ", "-NOPERM ", "-NOPROTO ", "-LOADING Redis ", "-WRONGTYPE Operation ",
	"-ERR unknown command '", "-ERR unknown command `", "+PONG\r\n", "+OK\r\n+PONG\r\n",
}

// sniffRedis recognises a request as an array whose first string is a name, an
// answer that nobody else gives, and what HELLO and INFO are answered. Of
// requests in lines of text the answer tells.
func sniffRedis(_ Dir, b []byte) Match {
	best := No
	switch {
	case len(b) == 0:
		return Maybe
	case b[0] == '*':
		_, best = redisRequestName(b)
	case b[0] == '-' || b[0] == '+':
		for _, g := range redisGreetings {
			best = max(best, prefix(b, []byte(g)))
		}
	case b[0] == '%':
		best = sniffRedisAnswer(b, "$6\r\nserver\r\n")
	case b[0] == '$':
		best = sniffRedisAnswer(b, "# Server\r\n")
	case opensWith(b, redisCommands) != No:
		best = eachLine(b, func(i int, line []byte) (Match, bool) {
			name, _ := word(line)
			return No, i > maxRedisWords || command(name, redisCommands) == ""
		})
	}
	return best
}

// sniffRedisAnswer recognises a length and what follows it.
func sniffRedisAnswer(b []byte, then string) Match {
	size, n, ok := respLength(b[1:])
	switch {
	case !ok || n > 0 && size < 1 || len(b) > 1 && !isDigit(b[1]):
		return No
	case n == 0:
		return Maybe
	}
	return prefix(b[1+n:], []byte(then))
}

// redisRequestName returns the first string of an array if it may be the name
// of a command.
func redisRequestName(b []byte) ([]byte, Match) {
	count, n, ok := respLength(b[1:])
	if !ok || n > 0 && count < 1 || len(b) > 1 && (b[1] < '1' || b[1] > '9') {
		return nil, No
	}
	if n == 0 || len(b) == 1+n {
		return nil, Maybe
	}
	b = b[1+n:]
	if b[0] != '$' || len(b) > 1 && (b[1] < '1' || b[1] > '9') {
		return nil, No
	}
	size, n, ok := respLength(b[1:])
	if !ok || n > 0 && size > maxRedisName {
		return nil, No
	}
	if n == 0 {
		return nil, Maybe
	}
	b = b[1+n:]
	name := b[:min(int64(len(b)), size)]
	if len(name) > 0 && !redisName(name) {
		return nil, No
	}
	if m := prefix(b[len(name):], []byte("\r\n")); m != Yes || int64(len(name)) < size {
		return nil, min(m, Maybe)
	}
	return name, Yes
}

// redisName tells what may be the name of a command, also of a module:
// "JSON.GET".
func redisName(b []byte) bool {
	for i, c := range b {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || !isDigit(c) && c != '.' && c != '-' && c != '_') {
			return false
		}
	}
	return len(b) > 0 && len(b) <= maxRedisName
}

// respLength reads a decimal number and the end of its line: n is 0 if that is
// not there yet, ok is false if it cannot come.
func respLength(b []byte) (v int64, n int, ok bool) {
	negative := len(b) > 0 && b[0] == '-'
	i := 0
	if negative {
		i++
	}
	digits := i
	for ; i < len(b) && isDigit(b[i]); i++ {
		v = v*10 + int64(b[i]-'0')
		if v > math.MaxInt32 {
			return 0, 0, false
		}
	}
	switch {
	case i == len(b):
		return 0, 0, true
	case i == digits || b[i] != '\r' || i+1 < len(b) && b[i+1] != '\n':
		return 0, 0, false
	case i+1 == len(b):
		return 0, 0, true
	case negative:
		v = -v
	}
	return v, i + 2, true
}

// Feed implements Stream.
func (s *redisStream) Feed(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	n := 0
	for n < len(b) {
		rest := b[n:]
		if !s.known && !s.meet(dir, rest) {
			break
		}
		if dir != s.client && !s.asked && !s.ending && len(rest) < maxRedisWord && prefix(rest, []byte("-DENIED ")) == No {
			break // what it answers is read after it where the answer told what this is
		}
		side := &s.side[dir]
		var used int
		var err error
		switch {
		case side.skip > 0:
			used = int(min(side.skip, int64(len(rest))))
			side.skip -= int64(used)
		case side.line:
			used = len(rest)
			if end := bytes.IndexByte(rest, '\n'); end >= 0 {
				side.line, used = false, end+1
			}
		case dir == s.client && side.elements == 0:
			used, msgs, err = s.request(dir, rest, msgs)
		default:
			used, msgs, err = s.value(dir, rest, msgs)
		}
		if err != nil {
			return n, s.attempt.end(OutcomeUnknown, msgs), err
		}
		if used == 0 {
			break
		}
		n += used
	}
	return n, msgs, nil
}

// Skip implements Skipper.
func (s *redisStream) Skip(dir Dir) int64 {
	n := s.side[dir].skip
	s.side[dir].skip = 0
	return n
}

// Flush implements Flusher.
func (s *redisStream) Flush(dir Dir, b []byte, msgs []Message) []Message {
	s.ending = true
	_, msgs, _ = s.Feed(dir, b, msgs) // what it says is all there is
	return s.attempt.flush(dir, msgs)
}

// meet finds out who is the client, and reports whether it could: the one who
// sends lines of text, or arrays that begin with a command.
func (s *redisStream) meet(dir Dir, b []byte) bool {
	s.client = dir.Other()
	switch {
	case b[0]|0x20 >= 'a' && b[0]|0x20 <= 'z':
		s.client = dir
	case b[0] == '*':
		name, m := redisRequestName(b)
		if m == Maybe {
			return false
		}
		if m == Yes && (dir == FromClient || command(name, redisCommands) != "") {
			s.client = dir
		}
	}
	s.known = true
	return true
}

// value reads the head of a value, which is an answer if it is not within
// another; 0 bytes if more is needed.
func (s *redisStream) value(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	side := &s.side[dir]
	answer := side.elements == 0
	kind := b[0]
	switch kind {
	case '+', '-', ':', '_', ',', '#', '(':
		line := b[:min(len(b), maxRedisWord)]
		end := bytes.IndexByte(line, '\n')
		if end < 0 && len(line) < maxRedisWord {
			return 0, msgs, nil
		}
		used := end + 1
		if end < 0 {
			side.line, used = true, len(line)
		}
		side.elements = max(0, side.elements-1)
		if answer {
			msgs = s.answer(kind, bytes.TrimRight(line[1:used], "\r\n"), msgs)
		}
		return used, msgs, nil
	case '$', '=', '!', '*', '~', '%', '>', '|':
	default:
		return 0, msgs, errRedisKind
	}
	size, n, ok := respLength(b[1:])
	if !ok {
		return 0, msgs, errRedisLength
	}
	if n == 0 {
		return 0, msgs, nil
	}
	if kind != '|' { // attributes stand before a value
		side.elements = max(0, side.elements-1)
	}
	switch {
	case size < 0: // null
	case kind == '$' || kind == '=' || kind == '!':
		side.skip = size + 2
	case kind == '%' || kind == '|':
		side.elements += 2 * size
	default:
		side.elements += size
	}
	if side.elements > math.MaxInt64/2 {
		return 0, msgs, errRedisLength
	}
	if answer && kind != '|' && kind != '>' { // what is pushed answers nothing
		msgs = s.answer(kind, nil, msgs)
	}
	return 1 + n, msgs, nil
}

// answer notes an answer; line is that of a simple one.
func (s *redisStream) answer(kind byte, line []byte, msgs []Message) []Message {
	var code []byte
	if kind == '-' {
		if code, _ = word(line); redisName(code) && s.errors.add(code) {
			msgs = append(msgs, &Redis{Error: string(code)})
		}
	}
	mine := s.attempt.login != nil && s.waiting > 0 && s.ahead == 0
	s.waiting, s.ahead = max(0, s.waiting-1), max(0, s.ahead-1)
	switch {
	case mine:
		return s.attempt.end(s.outcome(kind, line), msgs)
	case isWord(code, "NOAUTH") && s.attempt.login == nil && !s.denied:
		s.denied = true
		msgs = s.attempt.begin(s.client, &Login{Service: "redis", Mechanism: "none"}, msgs)
		return s.attempt.end(Failed, msgs)
	}
	return msgs
}

// outcome reads the answer to AUTH, or to HELLO, which is answered by a map
// (an array in RESP2). An error that says that no secret is asked for, or that
// the command is wrong, does not judge the login.
func (s *redisStream) outcome(kind byte, line []byte) Outcome {
	switch {
	case !s.hello && kind == '+' && string(line) == "OK":
		return Succeeded
	case s.hello && (kind == '%' || kind == '*'):
		return Succeeded
	case kind == '-':
		for _, refused := range [...]string{"WRONGPASS ", "NOAUTH ", "ERR invalid password"} {
			if bytes.HasPrefix(line, []byte(refused)) {
				return Failed
			}
		}
	}
	return OutcomeUnknown
}

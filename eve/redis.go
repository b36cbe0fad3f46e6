package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// redisBody is ours: Suricata does not log Redis.
type redisBody struct {
	Command string `json:"command,omitempty"`
	Error   string `json:"error,omitempty"`
}

func (w *Writer) redis(ev *flow.Event, m *wire.Redis) error {
	w.begin("redis", "redis", &ev.Record, ev.Time)
	w.line.Redis = &redisBody{Command: m.Command, Error: m.Error}
	return w.put()
}

-- Before: alerts and incidents are read by commands only.
-- After:  an outbox of what is still to be told to each sink, what people have
--         decided about alerts, and what each device did in each minute.
--
-- An outbox row says that an alert or incident has changed; what is told is
-- read from its own table when a sink is there to listen. So an alert that
-- changes a thousand times while a sink is down takes two rows.

CREATE TABLE outbox (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    ref      TEXT    NOT NULL,              -- alert.id or incident.id
    story    INTEGER NOT NULL,              -- 1 if it is an incident
    severity INTEGER NOT NULL,
    queued   INTEGER NOT NULL               -- wall-clock time
) STRICT;
CREATE INDEX outbox_ref ON outbox (ref);

CREATE TABLE sink (
    name      TEXT    NOT NULL PRIMARY KEY,
    active    INTEGER NOT NULL,             -- 0 if it is not in the configuration
    cursor    INTEGER NOT NULL,             -- outbox.seq up to which all is settled
    series    INTEGER NOT NULL,             -- minute.seq likewise
    delivered INTEGER NOT NULL DEFAULT 0,
    dropped   INTEGER NOT NULL DEFAULT 0,   -- for want of room
    last      INTEGER NOT NULL DEFAULT 0,   -- wall-clock time of the last delivery, 0 for none
    failing   INTEGER NOT NULL DEFAULT 0,   -- since when, 0 if it works
    error     TEXT    NOT NULL DEFAULT ''
) STRICT;

-- Notices at or before a sink's cursor that it has not taken.
CREATE TABLE letter (
    sink     TEXT    NOT NULL,              -- sink.name
    seq      INTEGER NOT NULL,              -- outbox.seq, though its row may be gone
    ref      TEXT    NOT NULL,
    story    INTEGER NOT NULL,
    dead     INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    since    INTEGER NOT NULL,
    next     INTEGER NOT NULL,
    error    TEXT    NOT NULL,
    PRIMARY KEY (sink, seq)
) STRICT, WITHOUT ROWID;

-- What people have said, for the process that holds the alerts in memory.
CREATE TABLE decision (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    ref      TEXT    NOT NULL,              -- alert.id or incident.id
    revision INTEGER NOT NULL,              -- of it with the decision
    state    TEXT    NOT NULL,              -- open, acknowledged, closed
    time     INTEGER NOT NULL               -- wall-clock time
) STRICT;

CREATE TABLE minute (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT, -- grows when a row is corrected
    time      INTEGER NOT NULL,             -- Unix seconds of its beginning, packet time
    device    TEXT    NOT NULL,             -- device.id
    bytes_in  INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    packets   INTEGER NOT NULL,
    flows     INTEGER NOT NULL,
    peers     INTEGER NOT NULL,
    names     INTEGER NOT NULL,
    nxdomain  INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX minute_time ON minute (time, device);

-- What minutes become. Peers and names are the most of any minute: how many
-- different ones an hour had cannot be told from its minutes.
CREATE TABLE hour (
    time      INTEGER NOT NULL,             -- Unix seconds of its beginning
    device    TEXT    NOT NULL,
    bytes_in  INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    packets   INTEGER NOT NULL,
    flows     INTEGER NOT NULL,
    peers     INTEGER NOT NULL,
    names     INTEGER NOT NULL,
    nxdomain  INTEGER NOT NULL,
    PRIMARY KEY (time, device)
) STRICT, WITHOUT ROWID;

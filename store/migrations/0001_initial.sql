-- Before: an empty file.
-- After:  alerts, incidents, observations, devices, baselines, the state of
--         the whole sensor, and one summary per run.
--
-- Times are nanoseconds since the Unix epoch, UTC. A body is the JSON form of
-- the Go struct; what is filtered or sorted by stands beside it in a column,
-- so that a new field of an alert needs no migration.

CREATE TABLE alert (
    id          TEXT    NOT NULL PRIMARY KEY,
    revision    INTEGER NOT NULL,
    time        INTEGER NOT NULL,           -- when it was raised
    last_seen   INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    severity    INTEGER NOT NULL,           -- 1 low, 2 medium, 3 high, 4 critical
    state       TEXT    NOT NULL,           -- open, acknowledged, closed
    device_id   TEXT    NOT NULL,
    device_name TEXT    NOT NULL,           -- as it was called then
    device_mac  TEXT    NOT NULL,
    incident    TEXT    NOT NULL,           -- incident.id, '' if none
    body        TEXT    NOT NULL
) STRICT;
CREATE INDEX alert_time     ON alert (time, id);
CREATE INDEX alert_device   ON alert (device_id, time);
CREATE INDEX alert_incident ON alert (incident);
CREATE INDEX alert_closed   ON alert (last_seen) WHERE state = 'closed'; -- for pruning

CREATE TABLE incident (
    id         TEXT    NOT NULL PRIMARY KEY,
    revision   INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    severity   INTEGER NOT NULL,
    state      TEXT    NOT NULL,
    body       TEXT    NOT NULL
) STRICT;
CREATE INDEX incident_last_seen ON incident (last_seen, id);

-- One row for each thing seen of a device on one UTC day. last_time and
-- last_count are of the newest occurrences merged into count: what is given a
-- second time is recognised by them. The day leads the key, so that what one
-- checkpoint writes lies on few pages.
CREATE TABLE observation (
    day        INTEGER NOT NULL,            -- days since the Unix epoch
    device     TEXT    NOT NULL,            -- device.id
    kind       TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    time       INTEGER NOT NULL,            -- first occurrence of the day
    last_time  INTEGER NOT NULL,
    last_count INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    p          REAL    NOT NULL,            -- the smallest of the day
    summary    TEXT    NOT NULL,            -- the one that came with p
    PRIMARY KEY (day, device, kind, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
    id           TEXT    NOT NULL PRIMARY KEY,
    name         TEXT    NOT NULL,
    vendor       TEXT    NOT NULL,
    type         TEXT    NOT NULL,
    device_group TEXT    NOT NULL,
    first_seen   INTEGER NOT NULL,
    last_seen    INTEGER NOT NULL,
    addresses    TEXT    NOT NULL,          -- JSON array of MAC and IP addresses
    body         TEXT    NOT NULL           -- JSON, opaque to the store
) STRICT;

-- Not WITHOUT ROWID: such a table is a poor home for rows above some hundred
-- bytes (https://sqlite.org/withoutrowid.html), and a model takes up to 64 KiB.
CREATE TABLE baseline (
    device TEXT    NOT NULL PRIMARY KEY,    -- device.id
    time   INTEGER NOT NULL,                -- packet time up to which it has learned
    model  BLOB    NOT NULL
) STRICT;

CREATE TABLE sensor (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    state BLOB NOT NULL
) STRICT;

CREATE TABLE run (
    id      TEXT    NOT NULL PRIMARY KEY,
    started INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    body    TEXT    NOT NULL                -- JSON, opaque to the store
) STRICT;
CREATE INDEX run_started ON run (started, id);

-- The tables of the three families of files. Format 1.
-- A file says its format in PRAGMA user_version; formats only grow and old ones stay readable. A later
-- format says in PRAGMA application_id which format a program must know at least to read it.

-- name: events
-- One segment of the ledger. The single row of `segment` is the fence: a transaction counts only
-- while the epoch in it is the writer's own.
CREATE TABLE segment (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    first_seq INTEGER NOT NULL,
    previous_hash BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    sealed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    kind TEXT NOT NULL,
    v INTEGER NOT NULL,
    body BLOB NOT NULL,
    hash BLOB NOT NULL,
    task TEXT
) STRICT;
CREATE INDEX events_of_task ON events (task) WHERE task IS NOT NULL;
CREATE INDEX events_of_engine ON events (kind)
    WHERE kind IN ('engine.started', 'engine.stopped');
CREATE TRIGGER fence BEFORE INSERT ON events
WHEN NEW.epoch <> (SELECT epoch FROM segment) OR (SELECT sealed FROM segment)
BEGIN
    SELECT RAISE(ABORT, 'fenced');
END;

-- name: samples
-- Probes of agents, and with an empty agent the fleet's own pulse. One row id orders both.
CREATE TABLE samples (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    agent TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX samples_of_agent ON samples (agent, at);

-- name: logs
-- Lines, and gaps where lines were lost (`lost` = 1; then `text` is the reason). The full-text
-- index keeps no copy of the text; the writer fills it itself.
CREATE TABLE lines (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    source TEXT,
    level INTEGER NOT NULL,
    task TEXT,
    written_at INTEGER,
    text TEXT NOT NULL,
    lost INTEGER NOT NULL DEFAULT 0,
    lost_lines INTEGER,
    lost_bytes INTEGER
) STRICT;
CREATE INDEX lines_of_source ON lines (source);
CREATE INDEX lines_of_task ON lines (task) WHERE task IS NOT NULL;
CREATE VIRTUAL TABLE words USING fts5 (
    text,
    content = 'lines',
    content_rowid = 'id',
    detail = none,
    columnsize = 0,
    tokenize = "unicode61 tokenchars '-_.:/'"
);

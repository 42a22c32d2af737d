-- Every statement of the journal, by name.

-- name: foreign_code
-- What would run when a table of ours is read or written, and is not of ours.
SELECT type FROM sqlite_schema WHERE type IN ('view', 'trigger') AND name <> 'fence' LIMIT 1;

-- name: segment_insert
-- The one row that says what a segment is.
INSERT INTO segment (one, first_seq, previous_hash, epoch) VALUES (1, ?, ?, ?);

-- name: segment_read
-- What a segment is.
SELECT first_seq, previous_hash, epoch, sealed FROM segment;

-- name: segment_take
-- A new engine raises the epoch; only while the last event is the one it verified.
UPDATE segment SET epoch = :epoch
WHERE epoch < :epoch AND (SELECT max(seq) FROM events) = :last_seq;

-- name: segment_raise
-- A restored ledger is not older than what the hosts have seen.
UPDATE segment SET epoch = max(epoch, :epoch);

-- name: segment_seal
-- Nothing more is written to this segment; only its owner may say so.
UPDATE segment SET sealed = 1 WHERE epoch = :epoch AND sealed = 0;

-- name: segment_freeze
-- An imported recording: no engine's epoch can ever be high enough to write here.
UPDATE segment SET epoch = 9007199254740992, sealed = 1;

-- name: fence_drop
-- For imports, whose events come from engines of many epochs.
DROP TRIGGER fence;

-- name: event_insert
-- One event; the fence refuses other epochs.
INSERT INTO events (seq, at, epoch, kind, v, body, hash, task) VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: events_after
-- The next events of a segment.
SELECT seq, at, epoch, kind, v, body, hash FROM events WHERE seq > ? ORDER BY seq LIMIT ?;

-- name: events_filed
-- The next events of a segment with the task that each is found by.
SELECT seq, at, epoch, kind, v, body, hash, task FROM events WHERE seq > ? ORDER BY seq LIMIT ?;

-- name: events_of_task
-- The next events about one task in a segment.
SELECT seq, at, epoch, kind, v, body, hash FROM events
WHERE task = ? AND seq > ? ORDER BY seq LIMIT ?;

-- name: submission_from
-- The first task that was submitted in a stretch. The kind stands before the body, so rows that are
-- passed over are not read whole.
SELECT seq, body, task FROM events
WHERE seq >= ? AND seq < ? AND kind = 'task.submitted' ORDER BY seq LIMIT 1;

-- name: events_of_engine
-- Starts and ends of engines.
SELECT seq, at, epoch, kind, v, body, hash FROM events
WHERE kind IN ('engine.started', 'engine.stopped') ORDER BY seq;

-- name: tasks_between
-- How many tasks were submitted in a stretch.
SELECT count(*) FROM events WHERE seq >= ? AND seq < ? AND kind = 'task.submitted';

-- name: event_last
-- Where a segment ends.
SELECT seq, at, hash FROM events ORDER BY seq DESC LIMIT 1;

-- name: event_first
-- Where a segment begins.
SELECT seq, at, hash FROM events ORDER BY seq LIMIT 1;

-- name: event_mark
-- One event's instant and hash.
SELECT at, hash FROM events WHERE seq = ?;

-- name: sample_insert
-- One look, or one pulse of the fleet (empty agent).
INSERT INTO samples (id, at, agent, body) VALUES (?, ?, ?, ?);

-- name: samples_end
-- The newest row's id and instant.
SELECT id, at FROM samples ORDER BY id DESC LIMIT 1;

-- name: samples_latest
-- The newest look at each agent up to an instant: one index step per agent, not one per row.
WITH RECURSIVE names (agent) AS (
    SELECT min(agent) FROM samples WHERE agent > ''
    UNION ALL
    SELECT (SELECT min(agent) FROM samples WHERE agent > names.agent) FROM names
    WHERE names.agent IS NOT NULL
)
SELECT names.agent, (
    SELECT body FROM samples
    WHERE samples.agent = names.agent AND at <= ? ORDER BY at DESC, id DESC LIMIT 1
)
FROM names WHERE names.agent IS NOT NULL;

-- name: samples_series
-- The newest samples of one agent, or of the fleet, in a stretch of time.
SELECT body FROM samples WHERE agent = ? AND at >= ? AND at <= ?
ORDER BY at DESC, id DESC LIMIT ?;

-- name: samples_every
-- The newest sample of the fleet in each of the equal stretches that end at the first parameter, and
-- then each second parameter later, up to the third; nothing for one without.
WITH RECURSIVE ends (at) AS (
    SELECT ?1 UNION ALL SELECT at + ?2 FROM ends WHERE at + ?2 <= ?3
)
SELECT (
    SELECT body FROM samples WHERE agent = '' AND samples.at > ends.at - ?2 AND samples.at <= ends.at
    ORDER BY samples.at DESC, id DESC LIMIT 1
)
FROM ends;

-- name: samples_all
-- Samples in the order they were stored.
SELECT id, at, agent, body FROM samples WHERE id > ? AND at >= ? AND at <= ? ORDER BY id LIMIT ?;

-- name: line_insert
-- One line or gap.
INSERT INTO lines (id, at, source, level, task, written_at, text, lost, lost_lines, lost_bytes)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: line_index
-- The words of one line.
INSERT INTO words (rowid, text) VALUES (?, ?);

-- name: logs_end
-- The newest row's id and instant.
SELECT id, at FROM lines ORDER BY id DESC LIMIT 1;

-- name: lines_after
-- Lines and gaps in the order they were stored.
SELECT id, at, source, level, task, written_at, text, lost, lost_lines, lost_bytes
FROM lines WHERE id > ? AND at >= ? AND at <= ? ORDER BY id LIMIT ?;

-- name: lines_any
-- Lines, newest first; `line_filters` follows.
SELECT id, at, source, level, task, written_at, text FROM lines WHERE

-- name: lines_of_source
-- Lines of one source, newest first; `line_filters` follows.
SELECT id, at, source, level, task, written_at, text FROM lines
WHERE source = :source AND

-- name: lines_of_task
-- Lines of one task, newest first; `line_filters` follows.
SELECT id, at, source, level, task, written_at, text FROM lines
WHERE task = :task AND

-- name: lines_with_words
-- Lines with words, newest first; `line_filters` follows.
SELECT id, at, source, level, task, written_at, lines.text
FROM words CROSS JOIN lines ON lines.id = words.rowid
WHERE words MATCH :words AND words.rowid > :after AND words.rowid < :before AND

-- name: line_filters
-- What every selection of lines has in common; a parameter that is NULL asks nothing. The plus
-- signs keep the planner on the path that the selection chose; an order follows.
lines.id > :after AND lines.id < :before AND at >= :since AND at <= :until
AND level >= :level AND lost = 0
AND (:source IS NULL OR +source = :source)
AND (:task IS NULL OR +task = :task)
AND (:pattern IS NULL OR lines.text LIKE :pattern ESCAPE '\')
AND (
    :contains IS NULL OR lines.text LIKE :contains ESCAPE '\'
    OR length(lines.text) < length(CAST(lines.text AS BLOB))
);

-- name: newest_line_first
-- Ends a selection of lines.
ORDER BY lines.id DESC LIMIT :limit;

-- name: newest_word_first
-- Ends a selection by words: the index itself runs backwards, nothing is sorted.
ORDER BY words.rowid DESC LIMIT :limit;

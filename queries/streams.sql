-- Written by scripts/list-queries.ts.

-- packages/streams/src/edge/checkpoints.ts
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS checkpoints (rule TEXT PRIMARY KEY, state BLOB NOT NULL, time INTEGER NOT NULL) STRICT;
SELECT state FROM checkpoints WHERE rule = ?;
INSERT OR REPLACE INTO checkpoints (rule, state, time) VALUES (?, ?, ?);
DELETE FROM checkpoints WHERE rule = ?;
SELECT rule FROM checkpoints;
BEGIN IMMEDIATE;
COMMIT;
ROLLBACK;

-- packages/streams/src/edge/message-log.ts
CREATE TABLE IF NOT EXISTS messages (
  stream TEXT NOT NULL, number INTEGER NOT NULL, topic TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, number)
) STRICT;
CREATE TABLE IF NOT EXISTS readers (
  stream TEXT NOT NULL, reader TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (stream, reader)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS numbers (stream TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
INSERT INTO messages (stream, number, topic, body) VALUES (?, ?, ?, ?);
SELECT number, topic, body FROM messages WHERE stream = ? AND number > ? ORDER BY number LIMIT ?;
SELECT number FROM numbers WHERE stream = ?;
INSERT OR REPLACE INTO numbers (stream, number) VALUES (?, ?);
SELECT number FROM readers WHERE stream = ? AND reader = ?;
INSERT OR REPLACE INTO readers (stream, reader, number) VALUES (?, ?, ?);
SELECT stream FROM readers WHERE reader = ?;
DELETE FROM readers WHERE stream = ? AND reader = ?;
SELECT min(number) AS number FROM readers WHERE stream = ?;
SELECT sum(octet_length(topic) + octet_length(body)) AS size FROM messages WHERE stream = ? AND number <= ?;
SELECT number, octet_length(topic) + octet_length(body) AS size FROM messages WHERE stream = ? ORDER BY number;
DELETE FROM messages WHERE stream = ? AND number <= ?;
SELECT stream, sum(octet_length(topic) + octet_length(body)) AS size FROM messages GROUP BY stream;
BEGIN IMMEDIATE;
COMMIT;
ROLLBACK;

-- packages/streams/src/edge/tables/postgres-rows.ts
SELECT * FROM ${from}${where} LIMIT ${MAX_PARTNERS};

-- packages/streams/src/edge/tables/sqlite-rows.ts
SELECT * FROM ${quoted(table)}${where} LIMIT ${MAX_PARTNERS};

-- packages/streams/src/outlets/postgresql.ts
CREATE TABLE IF NOT EXISTS ${quoted} (${COLUMNS});

-- packages/streams/src/query/sql/bin.ts
CREATE TABLE ${TABLE} (${columns.join(', ')});
CREATE SCHEMA exports;
CREATE VIEW exports.${view} AS SELECT * FROM read_parquet(${listOf(files)}, union_by_name = true);

-- packages/streams/src/road/edge/file-lock.ts
BEGIN EXCLUSIVE;

-- packages/streams/src/road/edge/road-database.ts
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS queue (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  token BLOB NOT NULL,
  settings TEXT NOT NULL,
  counts TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS block (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  queue INTEGER NOT NULL,
  at REAL NOT NULL,
  ran_at REAL NOT NULL DEFAULT 0,
  rows INTEGER NOT NULL,
  size INTEGER NOT NULL,
  bytes BLOB NOT NULL
);
SELECT 1 FROM pragma_table_info('block') WHERE name = 'ran_at';
ALTER TABLE block ADD COLUMN ran_at REAL NOT NULL DEFAULT 0;
CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS origin (
  queue INTEGER,
  name TEXT,
  position BLOB NOT NULL,
  PRIMARY KEY (queue, name)
) WITHOUT ROWID;
SELECT seq FROM sqlite_sequence WHERE name = 'block';
SELECT id, name, token, settings, counts FROM queue ORDER BY id;
SELECT number, queue, at, ran_at, rows, size FROM block ORDER BY number;
SELECT id, name FROM series;
INSERT INTO queue (name, token, settings, counts) VALUES (?, ?, ?, ?);
DELETE FROM queue WHERE id = ?;
DELETE FROM origin WHERE queue = ?;
DELETE FROM block WHERE queue = ?;
UPDATE queue SET settings = ? WHERE id = ?;
UPDATE queue SET token = ? WHERE id = ?;
UPDATE queue SET counts = ? WHERE id = ?;
INSERT OR REPLACE INTO block (number, queue, at, ran_at, rows, size, bytes) VALUES (?, ?, ?, ?, ?, ?, ?);
SELECT bytes FROM block WHERE number = ?;
DELETE FROM block WHERE number = ?;
INSERT INTO series (id, name) VALUES (?, ?);
SELECT name FROM series WHERE id = ?;
SELECT position FROM origin WHERE queue = ? AND name = ?;
INSERT OR REPLACE INTO origin (queue, name, position) VALUES (?, ?, ?);
PRAGMA freelist_count;

-- packages/streams/src/road/edge/road-file.ts
PRAGMA max_page_count = ${Math.floor(maxFileBytes / PAGE_BYTES)};
PRAGMA incremental_vacuum(${PAGES_GIVEN_BACK});
BEGIN IMMEDIATE;
COMMIT;
ROLLBACK;

-- packages/streams/src/sql/parser/keywords.ts
SELECT FROM JOIN LEFT RIGHT FULL CROSS INNER ON WHERE GROUP ORDER HAVING BY ASC DESC LIMIT AS AND OR NOT;

-- packages/streams/src/sql/print.ts
WITH ${common.join(', ')};
SELECT ${printItems(items)};
REPLACE (${changed.join(', ')});

-- packages/streams/src/store/catalog-file.ts
CREATE TABLE series (id INTEGER PRIMARY KEY, type TEXT NOT NULL, labels TEXT NOT NULL) STRICT;
CREATE TABLE last (series INTEGER PRIMARY KEY, time INTEGER NOT NULL, quality INTEGER NOT NULL, value BLOB NOT NULL) STRICT;
CREATE TABLE mark (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE sealed (id INTEGER PRIMARY KEY CHECK (id = 0), generation INTEGER NOT NULL) STRICT;
INSERT INTO sealed (id, generation) VALUES (0, 0);
INSERT OR REPLACE INTO series (id, type, labels) VALUES (?, ?, ?);
INSERT INTO last (series, time, quality, value) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET time = excluded.time, quality = excluded.quality, value = excluded.value
WHERE excluded.time >= last.time;
INSERT OR REPLACE INTO mark (key, value) VALUES (?, ?);
UPDATE sealed SET generation = ?;
DELETE FROM series WHERE id = ?;
DELETE FROM last WHERE series = ?;
SELECT generation FROM sealed;
SELECT id, type, labels FROM series;
SELECT series, time, quality, value FROM last;
SELECT key, value FROM mark;
BEGIN;
COMMIT;
ROLLBACK;

-- packages/streams/src/store/database.ts
PRAGMA page_size = ${PAGE_BYTES};
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = TRUNCATE;
PRAGMA synchronous = FULL;
PRAGMA cache_size = -${CACHE_KIB};
BEGIN EXCLUSIVE;
COMMIT;
PRAGMA user_version;
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${FORMAT_VERSION};

-- packages/streams/src/store/partition.ts
CREATE TABLE chunk (
  id INTEGER PRIMARY KEY,
  series INTEGER NOT NULL,
  tier INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  rows INTEGER NOT NULL,
  data BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX chunk_of_series ON chunk (series, first, tier, last, rows);
CREATE TABLE state (
  id INTEGER PRIMARY KEY CHECK (id = 0),
  dense INTEGER NOT NULL,
  raw INTEGER NOT NULL,
  tiers INTEGER NOT NULL
) STRICT;
INSERT INTO state (id, dense, raw, tiers) VALUES (0, 0, 1, 3);
CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, type TEXT NOT NULL, labels TEXT NOT NULL) STRICT;
INSERT INTO series (id, type, labels) VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET type = excluded.type, labels = excluded.labels
WHERE type <> excluded.type OR labels <> excluded.labels;
SELECT type, labels FROM series WHERE id = ?;
SELECT id, series, tier, first, last, rows FROM chunk
WHERE series = ? AND last >= ? AND first < ? ORDER BY first, tier LIMIT ${MAX_FORMS};
SELECT id, series, tier, first, last, rows, length(data) AS bytes FROM chunk
WHERE series = ? AND tier = 0 AND first <= ? ORDER BY first DESC;
SELECT data FROM chunk WHERE id = ?;
INSERT INTO chunk (series, tier, first, last, rows, data) VALUES (?, ?, ?, ?, ?, ?);
DELETE FROM chunk WHERE series = ? AND first = ?;
UPDATE state SET dense = ?, raw = ?, tiers = ?;
SELECT first, tier FROM chunk WHERE series = ? ORDER BY first;
SELECT id, series, tier, first, last, rows FROM chunk WHERE series = ?;
SELECT series, sum(length(data)) AS bytes FROM chunk GROUP BY series;
SELECT DISTINCT series FROM chunk ORDER BY series;
SELECT max(last) AS newest FROM chunk;
BEGIN;
COMMIT;
ROLLBACK;
SELECT dense, raw, tiers FROM state;

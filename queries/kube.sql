-- Written by scripts/list-queries.ts.

-- packages/kube/src/replica/held-table.ts
CREATE TABLE IF NOT EXISTS held (key TEXT PRIMARY KEY, version TEXT NOT NULL, shadow TEXT) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS held_state (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
INSERT OR REPLACE INTO held (key, version, shadow) VALUES (?, ?, ?);
UPDATE held SET shadow = ? WHERE key = ? AND shadow IS NULL;
UPDATE held SET shadow = NULL WHERE key = ?;
SELECT shadow FROM held WHERE key = ?;
SELECT key FROM held WHERE shadow IS NOT NULL;
DELETE FROM held WHERE key = ?;
SELECT key, version FROM held;
INSERT OR REPLACE INTO held_state (name, value) VALUES (?, ?);
SELECT value FROM held_state WHERE name = ?;

-- packages/kube/src/replica/outbox-table.ts
CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY, key TEXT UNIQUE, bytes BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS outbox_state (one INTEGER PRIMARY KEY CHECK (one = 1), acknowledged INTEGER NOT NULL) STRICT;
INSERT INTO outbox (seq, key, bytes) VALUES (?, ?, ?);
DELETE FROM outbox WHERE key = ?;
DELETE FROM outbox WHERE seq = ?;
DELETE FROM outbox WHERE seq <= ?;
SELECT seq, key, bytes FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?;
SELECT 1 FROM outbox WHERE key = ?;
SELECT COUNT(*) FROM outbox;
DELETE FROM outbox WHERE seq = (SELECT MIN(seq) FROM outbox WHERE key LIKE 'object /events/%' OR key LIKE 'object events.k8s.io/%');
INSERT OR REPLACE INTO outbox_state (one, acknowledged) VALUES (1, ?);
SELECT acknowledged FROM outbox_state;

-- packages/kube/src/store/backup.ts
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
BEGIN;
COMMIT;

-- packages/kube/src/store/database-file.ts
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA journal_size_limit = ${MAX_IDLE_LOG_BYTES};
PRAGMA cache_size = -${options.cacheKiB};
PRAGMA max_page_count = ${Math.max(1, Math.floor(options.maxBytes / PAGE_BYTES))};
BEGIN EXCLUSIVE; COMMIT;

-- packages/kube/src/store/idle-checkpoint.ts
PRAGMA wal_checkpoint(PASSIVE);

-- packages/kube/src/store/log-table.ts
CREATE TABLE IF NOT EXISTS log (revision INTEGER PRIMARY KEY, key TEXT NOT NULL, previous INTEGER NOT NULL, json TEXT) STRICT;
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS objects AS
  SELECT key, revision, json FROM log
  WHERE json IS NOT NULL AND revision NOT IN (SELECT previous FROM log);
INSERT INTO log (revision, key, previous, json) VALUES (?, ?, ?, ?);
DELETE FROM log WHERE revision = ?;
DELETE FROM log WHERE revision IN (SELECT previous FROM log WHERE revision > ? AND revision <= ? AND previous > 0);
DELETE FROM log WHERE revision > ? AND revision <= ? AND json IS NULL;
SELECT l.revision, l.key, l.json, l.previous, p.json FROM log l LEFT JOIN log p ON p.revision = l.previous
WHERE l.revision > ? AND l.revision <= ? AND l.key >= ? AND l.key < ? ORDER BY l.revision;
SELECT key, previous, MIN(revision) FROM log WHERE revision > ? AND key >= ? AND key < ? GROUP BY key ORDER BY key;
SELECT revision, key, json FROM log WHERE revision = ?;
SELECT revision, key, json FROM log ORDER BY revision;
SELECT MAX(revision) FROM log;
SELECT value FROM meta WHERE name = ?;
INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- packages/kube/src/store/sqlite-store.ts
PRAGMA integrity_check;
BEGIN IMMEDIATE;
COMMIT;
ROLLBACK;
BEGIN IMMEDIATE;
COMMIT;

-- Written by scripts/list-queries.ts.

-- packages/workloads/src/registry/catalog.ts
CREATE TABLE IF NOT EXISTS links (repository TEXT, digest TEXT, size INTEGER NOT NULL, touched INTEGER NOT NULL,
  PRIMARY KEY (repository, digest)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS links_by_digest ON links (digest);
CREATE TABLE IF NOT EXISTS manifests (repository TEXT, digest TEXT, media_type TEXT NOT NULL, size INTEGER NOT NULL,
  artifact_type TEXT, subject TEXT, annotations TEXT, PRIMARY KEY (repository, digest)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS manifests_by_subject ON manifests (repository, subject) WHERE subject IS NOT NULL;
CREATE TABLE IF NOT EXISTS parts (repository TEXT, manifest TEXT, digest TEXT,
  PRIMARY KEY (repository, manifest, digest)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS parts_by_digest ON parts (repository, digest);
CREATE TABLE IF NOT EXISTS tags (repository TEXT, tag TEXT, digest TEXT NOT NULL, checked INTEGER NOT NULL,
  PRIMARY KEY (repository, tag)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tags_by_digest ON tags (repository, digest);
CREATE TABLE IF NOT EXISTS owned (repository TEXT PRIMARY KEY, namespace TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uploads (id TEXT PRIMARY KEY, repository TEXT NOT NULL, started INTEGER NOT NULL) STRICT, WITHOUT ROWID;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA cache_size = -${CACHE_KIB};
SELECT DISTINCT repository FROM manifests WHERE repository > ? AND repository NOT LIKE '@%'
ORDER BY repository LIMIT ?;
SELECT 1 FROM links WHERE repository = ? LIMIT 1;
SELECT tag FROM tags WHERE repository = ? AND tag > ? ORDER BY tag LIMIT ?;
SELECT digest, checked FROM tags WHERE repository = ? AND tag = ?;
SELECT * FROM manifests WHERE repository = ? AND digest = ?;
SELECT * FROM manifests WHERE repository = ? AND subject = ? ORDER BY digest;
SELECT 1 FROM parts WHERE repository = ?1 AND digest = ?3 AND (manifest = ?2
OR manifest IN (SELECT digest FROM parts WHERE repository = ?1 AND manifest = ?2)) LIMIT 1;
SELECT size, touched FROM links WHERE repository = ? AND digest = ?;
UPDATE links SET touched = ? WHERE repository = ? AND digest = ?;
INSERT OR REPLACE INTO links (repository, digest, size, touched) VALUES (?, ?, ?, ?);
SELECT size FROM links WHERE repository = ? AND digest = ?;
SELECT 1 FROM parts WHERE repository = ? AND digest = ?;
DELETE FROM links WHERE repository = ? AND digest = ?;
INSERT OR REPLACE INTO manifests (repository, digest, media_type, size, artifact_type, subject, annotations) VALUES (?, ?, ?, ?, ?, ?, ?);
INSERT OR IGNORE INTO parts (repository, manifest, digest) VALUES (?, ?, ?);
INSERT OR REPLACE INTO tags (repository, tag, digest, checked) VALUES (?, ?, ?, ?);
DELETE FROM tags WHERE repository = ? AND tag = ?;
DELETE FROM manifests WHERE repository = ? AND digest = ?;
DELETE FROM parts WHERE repository = ? AND manifest = ?;
DELETE FROM tags WHERE repository = ? AND digest = ?;
INSERT OR REPLACE INTO owned (repository, namespace) VALUES (?, ?);
SELECT DISTINCT namespace FROM owned;
SELECT repository FROM owned WHERE namespace = ?;
DELETE FROM tags WHERE repository = ?;
DELETE FROM parts WHERE repository = ?;
DELETE FROM manifests WHERE repository = ?;
DELETE FROM links WHERE repository = ?;
DELETE FROM uploads WHERE repository = ?;
DELETE FROM owned WHERE namespace = ?;
SELECT id, repository FROM uploads WHERE id = ?;
SELECT COUNT(*) AS count FROM uploads;
INSERT INTO uploads (id, repository, started) VALUES (?, ?, ?);
DELETE FROM uploads WHERE id = ?;
DELETE FROM uploads WHERE started < ?;
DELETE FROM links WHERE touched < ?
AND NOT EXISTS (SELECT 1 FROM parts WHERE parts.repository = links.repository AND parts.digest = links.digest)
AND NOT EXISTS (SELECT 1 FROM manifests WHERE manifests.repository = links.repository AND manifests.digest = links.digest);
SELECT manifests.repository, manifests.digest FROM manifests
JOIN links ON links.repository = manifests.repository AND links.digest = manifests.digest
WHERE links.touched < ? AND manifests.subject IS NULL AND manifests.repository NOT LIKE '@%'
  AND NOT EXISTS (SELECT 1 FROM tags WHERE tags.repository = manifests.repository AND tags.digest = manifests.digest)
  AND NOT EXISTS (SELECT 1 FROM parts WHERE parts.repository = manifests.repository AND parts.digest = manifests.digest);
SELECT manifests.repository, manifests.digest FROM manifests
JOIN links ON links.repository = manifests.repository AND links.digest = manifests.digest
WHERE links.touched < ? AND manifests.repository LIKE '@%';
SELECT manifests.repository, manifests.digest FROM manifests
JOIN links ON links.repository = manifests.repository AND links.digest = manifests.digest
WHERE manifests.repository LIKE '@%' ORDER BY links.touched LIMIT 1;
SELECT COALESCE(SUM(size), 0) AS bytes FROM (SELECT digest, MAX(size) AS size FROM links
GROUP BY digest HAVING MIN(repository LIKE '@%') = 1);
SELECT 1 FROM links WHERE digest = ? LIMIT 1;
SELECT 1 FROM manifests WHERE repository = ? AND digest = ?;
SELECT 1 FROM links WHERE repository = ? AND digest = ?;
BEGIN IMMEDIATE;
COMMIT;
ROLLBACK;

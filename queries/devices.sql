-- Written by scripts/list-queries.ts.

-- packages/devices/src/edge/broker/journal.ts
CREATE TABLE IF NOT EXISTS retained (topic TEXT PRIMARY KEY, head TEXT NOT NULL, payload BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS subscriptions (client TEXT, topic TEXT, subscription TEXT NOT NULL, PRIMARY KEY (client, topic)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS owners (client TEXT PRIMARY KEY, user TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS queued (client TEXT, at INTEGER, head TEXT NOT NULL, payload BLOB, PRIMARY KEY (client, at)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS received (client TEXT, id INTEGER, head TEXT NOT NULL, payload BLOB, PRIMARY KEY (client, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS wills (client TEXT PRIMARY KEY, head TEXT NOT NULL, payload BLOB) WITHOUT ROWID;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
SELECT topic, head, payload FROM retained ORDER BY topic;
SELECT client, topic, subscription FROM subscriptions;
SELECT client, user FROM owners;
SELECT client, at, head, payload FROM queued ORDER BY client, at;
SELECT client, id, head, payload FROM received;
SELECT client, head, payload FROM wills;
BEGIN;
COMMIT;
ROLLBACK;
INSERT OR REPLACE INTO retained (topic, head, payload) VALUES (?, ?, ?);
DELETE FROM retained WHERE topic = ?;
INSERT OR REPLACE INTO subscriptions (client, topic, subscription) VALUES (?, ?, ?);
DELETE FROM subscriptions WHERE client = ? AND topic = ?;
INSERT OR REPLACE INTO owners (client, user) VALUES (?, ?);
DELETE FROM owners WHERE client = ?;
INSERT OR REPLACE INTO queued (client, at, head, payload) VALUES (?, ?, ?, ?);
DELETE FROM queued WHERE client = ? AND at = ?;
INSERT OR REPLACE INTO received (client, id, head, payload) VALUES (?, ?, ?, ?);
DELETE FROM received WHERE client = ? AND id = ?;
DELETE FROM received WHERE client = ?;
INSERT OR REPLACE INTO wills (client, head, payload) VALUES (?, ?, ?);
DELETE FROM wills WHERE client = ?;

-- packages/devices/src/edge/opcua/own-certificate.ts
BEGIN CERTIFICATE;

-- packages/devices/src/edge/twin/write-ledger.ts
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS twin (
  device TEXT NOT NULL,
  property TEXT NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (device, property)
) WITHOUT ROWID;
SELECT property, record FROM twin WHERE device = ?;
INSERT INTO twin (device, property, record) VALUES (?, ?, ?)
ON CONFLICT (device, property) DO UPDATE SET record = excluded.record;
DELETE FROM twin WHERE device = ?;
BEGIN;
COMMIT;
ROLLBACK;
PRAGMA synchronous = NORMAL;
PRAGMA synchronous = FULL;

/**
 * Which repositories there are, and what each of them holds: tags, manifests, and the blobs it may give. One SQLite file; each
 * method is one transaction and durable when it returns, so nothing of this process can come between a check and its write.
 * A repository of another registry, kept for nodes, has a name that begins with `@HOST/`, which no repository of our own can have.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Digest } from '../images/index.ts';

export interface ManifestRow {
  readonly repository: string;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  readonly artifactType?: string;
  readonly subject?: Digest;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface NewManifest extends ManifestRow {
  readonly tag?: string;
  /** What must be in the repository, or be part of it: blobs and manifests. */
  readonly parts: readonly Part[];
}

export interface Part {
  readonly digest: Digest;
  readonly kind: 'blob' | 'manifest';
}

export interface Upload {
  readonly id: string;
  readonly repository: string;
}

const SCHEMA = `
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
`;

/** Memory for SQLite's pages. */
const CACHE_KIB = 2048;
/** How old the last touch of a link may be before another is written: a push of a thousand known layers is no thousand writes. */
const TOUCH_MS = 600_000;

type Row = Readonly<Record<string, string | number | null>>;

export class Catalog implements Disposable {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(file: string) {
    this.#database = new DatabaseSync(file);
    this.#database.exec('PRAGMA journal_mode = WAL');
    this.#database.exec('PRAGMA synchronous = FULL');
    this.#database.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
    this.#database.exec(SCHEMA);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  repositories(after: string, limit: number): readonly string[] {
    const sql = `SELECT DISTINCT repository FROM manifests WHERE repository > ? AND repository NOT LIKE '@%'
      ORDER BY repository LIMIT ?`;
    return this.#all(sql, after, limit).map((row) => String(row['repository']));
  }

  hasRepository(repository: string): boolean {
    return this.#get('SELECT 1 FROM links WHERE repository = ? LIMIT 1', repository) !== undefined;
  }

  tags(repository: string, after: string, limit: number): readonly string[] {
    const sql = 'SELECT tag FROM tags WHERE repository = ? AND tag > ? ORDER BY tag LIMIT ?';
    return this.#all(sql, repository, after, limit).map((row) => String(row['tag']));
  }

  /** What a tag leads to, and when that was last known to be so. */
  tag(repository: string, tag: string): { readonly digest: Digest; readonly checkedAt: number } | undefined {
    const row = this.#get('SELECT digest, checked FROM tags WHERE repository = ? AND tag = ?', repository, tag);
    return row === undefined ? undefined : { digest: row['digest'] as Digest, checkedAt: Number(row['checked']) };
  }

  manifest(repository: string, digest: Digest): ManifestRow | undefined {
    const row = this.#get('SELECT * FROM manifests WHERE repository = ? AND digest = ?', repository, digest);
    return row === undefined ? undefined : toManifest(row);
  }

  referrers(repository: string, subject: Digest): readonly ManifestRow[] {
    const sql = 'SELECT * FROM manifests WHERE repository = ? AND subject = ? ORDER BY digest';
    return this.#all(sql, repository, subject).map(toManifest);
  }

  /** Whether content is `root` itself, is part of it, or is part of a manifest that is. */
  belongs(repository: string, root: Digest, digest: Digest): boolean {
    if (root === digest) return true;
    const sql = `SELECT 1 FROM parts WHERE repository = ?1 AND digest = ?3 AND (manifest = ?2
      OR manifest IN (SELECT digest FROM parts WHERE repository = ?1 AND manifest = ?2)) LIMIT 1`;
    return this.#get(sql, repository, root, digest) !== undefined;
  }

  /** The size of a blob that the repository has; it will not go for a while now. */
  touch(repository: string, digest: Digest, now: number): { readonly size: number } | undefined {
    const row = this.#get('SELECT size, touched FROM links WHERE repository = ? AND digest = ?', repository, digest);
    if (row === undefined) return undefined;
    if (Number(row['touched']) + TOUCH_MS <= now) {
      this.#run('UPDATE links SET touched = ? WHERE repository = ? AND digest = ?', now, repository, digest);
    }
    return { size: Number(row['size']) };
  }

  /** From now on the repository has the blob. */
  link(repository: string, { digest, size }: { readonly digest: Digest; readonly size: number }, now: number): void {
    this.#run(
      'INSERT OR REPLACE INTO links (repository, digest, size, touched) VALUES (?, ?, ?, ?)',
      repository,
      digest,
      size,
      now,
    );
  }

  /** Links what another repository has; false when it has no such blob. */
  mount(repository: string, from: string, digest: Digest, now: number): boolean {
    return this.#transaction(() => {
      const row = this.#get('SELECT size FROM links WHERE repository = ? AND digest = ?', from, digest);
      if (row === undefined) return false;
      this.link(repository, { digest, size: Number(row['size']) }, now);
      return true;
    });
  }

  /** False when the repository had no such blob, or a manifest needs it. */
  unlink(repository: string, digest: Digest): boolean {
    return this.#transaction(() => {
      if (this.#get('SELECT 1 FROM parts WHERE repository = ? AND digest = ?', repository, digest)) return false;
      return this.#run('DELETE FROM links WHERE repository = ? AND digest = ?', repository, digest) > 0;
    });
  }

  /** Gives back the first part that the repository does not have, and has added nothing then. `mayLack`: parts come later. */
  add(manifest: NewManifest, now: number, mayLack = false): Part | undefined {
    return this.#transaction(() => {
      const { repository, digest, size, tag, parts } = manifest;
      const missing = mayLack ? undefined : parts.find((part) => !this.#has(repository, part));
      if (missing !== undefined) return missing;
      this.link(repository, { digest, size }, now);
      this.#run(
        'INSERT OR REPLACE INTO manifests (repository, digest, media_type, size, artifact_type, subject, annotations) VALUES (?, ?, ?, ?, ?, ?, ?)',
        repository,
        digest,
        manifest.mediaType,
        size,
        manifest.artifactType ?? null,
        manifest.subject ?? null,
        manifest.annotations === undefined ? null : JSON.stringify(manifest.annotations),
      );
      for (const part of parts) {
        this.#run(
          'INSERT OR IGNORE INTO parts (repository, manifest, digest) VALUES (?, ?, ?)',
          repository,
          digest,
          part.digest,
        );
      }
      if (tag !== undefined) this.setTag(repository, tag, digest, now);
      return undefined;
    });
  }

  setTag(repository: string, tag: string, digest: Digest, now: number): void {
    this.#run(
      'INSERT OR REPLACE INTO tags (repository, tag, digest, checked) VALUES (?, ?, ?, ?)',
      repository,
      tag,
      digest,
      now,
    );
  }

  removeTag(repository: string, tag: string): boolean {
    return this.#run('DELETE FROM tags WHERE repository = ? AND tag = ?', repository, tag) > 0;
  }

  /** With its tags; what only it needed goes at the next collection. */
  removeManifest(repository: string, digest: Digest): boolean {
    return this.#transaction(() => {
      if (this.#run('DELETE FROM manifests WHERE repository = ? AND digest = ?', repository, digest) === 0)
        return false;
      this.#run('DELETE FROM parts WHERE repository = ? AND manifest = ?', repository, digest);
      this.#run('DELETE FROM tags WHERE repository = ? AND digest = ?', repository, digest);
      return true;
    });
  }

  /** The repository is the namespace's, and goes with it. */
  own(repository: string, namespace: string): void {
    this.#run('INSERT OR REPLACE INTO owned (repository, namespace) VALUES (?, ?)', repository, namespace);
  }

  /** Those that own anything. */
  owners(): readonly string[] {
    return this.#all('SELECT DISTINCT namespace FROM owned').map((row) => String(row['namespace']));
  }

  /** Forgets all that the namespace owns; its content goes at the next collection. */
  removeOwned(namespace: string): void {
    this.#transaction(() => {
      for (const row of this.#all('SELECT repository FROM owned WHERE namespace = ?', namespace)) {
        const repository = String(row['repository']);
        this.#run('DELETE FROM tags WHERE repository = ?', repository);
        this.#run('DELETE FROM parts WHERE repository = ?', repository);
        this.#run('DELETE FROM manifests WHERE repository = ?', repository);
        this.#run('DELETE FROM links WHERE repository = ?', repository);
        this.#run('DELETE FROM uploads WHERE repository = ?', repository);
      }
      this.#run('DELETE FROM owned WHERE namespace = ?', namespace);
    });
  }

  upload(id: string): Upload | undefined {
    const row = this.#get('SELECT id, repository FROM uploads WHERE id = ?', id);
    return row === undefined ? undefined : { id: String(row['id']), repository: String(row['repository']) };
  }

  countUploads(): number {
    return Number(this.#get('SELECT COUNT(*) AS count FROM uploads')?.['count']);
  }

  addUpload({ id, repository }: Upload, now: number): void {
    this.#run('INSERT INTO uploads (id, repository, started) VALUES (?, ?, ?)', id, repository, now);
  }

  removeUpload(id: string): void {
    this.#run('DELETE FROM uploads WHERE id = ?', id);
  }

  removeUploads(startedBefore: number): void {
    this.#run('DELETE FROM uploads WHERE started < ?', startedBefore);
  }

  /** Forgets links that nobody needs and nobody touched since `before`. Manifests that are there are needed, tagged or not. */
  forgetLinks(before: number): number {
    return this.#run(
      `DELETE FROM links WHERE touched < ?
        AND NOT EXISTS (SELECT 1 FROM parts WHERE parts.repository = links.repository AND parts.digest = links.digest)
        AND NOT EXISTS (SELECT 1 FROM manifests WHERE manifests.repository = links.repository AND manifests.digest = links.digest)`,
      before,
    );
  }

  /** Manifests without a tag that no index lists, nobody refers to by subject, and nobody touched since `before`. */
  removeUntagged(before: number): number {
    const sql = `SELECT manifests.repository, manifests.digest FROM manifests
      JOIN links ON links.repository = manifests.repository AND links.digest = manifests.digest
      WHERE links.touched < ? AND manifests.subject IS NULL AND manifests.repository NOT LIKE '@%'
        AND NOT EXISTS (SELECT 1 FROM tags WHERE tags.repository = manifests.repository AND tags.digest = manifests.digest)
        AND NOT EXISTS (SELECT 1 FROM parts WHERE parts.repository = manifests.repository AND parts.digest = manifests.digest)`;
    return this.#removeAll(this.#all(sql, before));
  }

  /** Manifests of other registries that no node asked for since `before`. */
  removeUnused(before: number): number {
    const sql = `SELECT manifests.repository, manifests.digest FROM manifests
      JOIN links ON links.repository = manifests.repository AND links.digest = manifests.digest
      WHERE links.touched < ? AND manifests.repository LIKE '@%'`;
    return this.#removeAll(this.#all(sql, before));
  }

  /** The manifest of another registry that was longest unused, and what all of these hold together. */
  leastUsed(): { readonly repository: string; readonly digest: Digest } | undefined {
    const row = this.#get(`SELECT manifests.repository, manifests.digest FROM manifests
      JOIN links ON links.repository = manifests.repository AND links.digest = manifests.digest
      WHERE manifests.repository LIKE '@%' ORDER BY links.touched LIMIT 1`);
    return row === undefined ? undefined : { repository: String(row['repository']), digest: row['digest'] as Digest };
  }

  /** Bytes of what only repositories of other registries hold. */
  cachedBytes(): number {
    const sql = `SELECT COALESCE(SUM(size), 0) AS bytes FROM (SELECT digest, MAX(size) AS size FROM links
      GROUP BY digest HAVING MIN(repository LIKE '@%') = 1)`;
    return Number(this.#get(sql)?.['bytes']);
  }

  isLinked(digest: Digest): boolean {
    return this.#get('SELECT 1 FROM links WHERE digest = ? LIMIT 1', digest) !== undefined;
  }

  #has(repository: string, { digest, kind }: Part): boolean {
    const sql =
      kind === 'manifest'
        ? 'SELECT 1 FROM manifests WHERE repository = ? AND digest = ?'
        : 'SELECT 1 FROM links WHERE repository = ? AND digest = ?';
    return this.#get(sql, repository, digest) !== undefined;
  }

  #removeAll(rows: readonly Row[]): number {
    for (const { repository, digest } of rows) this.removeManifest(String(repository), digest as Digest);
    return rows.length;
  }

  #transaction<T>(work: () => T): T {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }

  #get(sql: string, ...values: readonly (string | number | null)[]): Row | undefined {
    return this.#prepare(sql).get(...values) as Row | undefined;
  }

  #all(sql: string, ...values: readonly (string | number | null)[]): readonly Row[] {
    return this.#prepare(sql).all(...values) as unknown as readonly Row[];
  }

  #run(sql: string, ...values: readonly (string | number | null)[]): number {
    return Number(this.#prepare(sql).run(...values).changes);
  }
}

function toManifest(row: Row): ManifestRow {
  const optional = (name: string) => (row[name] === null ? undefined : String(row[name]));
  const [artifactType, subject, annotations] = [
    optional('artifact_type'),
    optional('subject'),
    optional('annotations'),
  ];
  return {
    repository: String(row['repository']),
    digest: row['digest'] as Digest,
    mediaType: String(row['media_type']),
    size: Number(row['size']),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(subject === undefined ? {} : { subject: subject as Digest }),
    ...(annotations === undefined ? {} : { annotations: JSON.parse(annotations) as Record<string, string> }),
  };
}

/** A store whose Secrets are sealed on their way down and opened on their way up; everything else passes as it is. */
import type { KubeObject, Sealer } from '@skerry/api';
import type { Change, ListResult, Store, StoredObject, StoreKey } from '../store/contract.ts';
import { keyPrefix } from '../store/key.ts';

const SECRETS = keyPrefix('', 'secrets');

/** Sealed values say so, so that what was written before there was a key can still be read. Base64 has no colon. */
const MARK = 'sealed:';

/** kubectl apply copies the whole Secret into this annotation. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** How many opened Secrets are kept, so that lists and watches do not open the same one again and again. */
const MAX_OPENED = 1_000;

export function sealedStore(store: Store, sealer: Sealer): Store {
  const opened = new OpenedSecrets(sealer);
  const open = (stored: StoredObject): StoredObject => (isSecret(stored.key) ? opened.open(stored) : stored);
  return {
    get revision() {
      return store.revision;
    },
    get compactedRevision() {
      return store.compactedRevision;
    },
    get epoch() {
      return store.epoch;
    },
    get: (key) => {
      const stored = store.get(key);
      return stored === undefined ? undefined : open(stored);
    },
    list: (prefix, options): ListResult => {
      const result = store.list(prefix, options);
      return mayHoldSecrets(prefix) ? { ...result, items: result.items.map(open) } : result;
    },
    count: (prefix) => store.count(prefix),
    put: async (key, json, options) => {
      if (!isSecret(key)) return store.put(key, json, options);
      const stored = await store.put(key, sealText(sealer, key, json), options);
      return { ...stored, json };
    },
    delete: async (key, options) => {
      const result = await store.delete(key, options);
      return { ...result, previous: open(result.previous) };
    },
    subscribe: (prefix, from, onChange) => {
      if (!mayHoldSecrets(prefix)) return store.subscribe(prefix, from, onChange);
      return store.subscribe(prefix, from, (changes) => onChange(changes.map((change) => openChange(change, open))));
    },
    durable: () => store.durable?.(),
    compact: (keepRevisions) => store.compact(keepRevisions),
    backupTo: (file) => store.backupTo(file),
    close: () => store.close(),
  };
}

function openChange(change: Change, open: (stored: StoredObject) => StoredObject): Change {
  if (change.type === 'delete') return isSecret(change.key) ? { ...change, previous: open(change.previous) } : change;
  if (!isSecret(change.object.key)) return change;
  const previous = change.previous === undefined ? {} : { previous: open(change.previous) };
  return { type: 'put', object: open(change.object), ...previous };
}

function isSecret(key: StoreKey): boolean {
  return key.startsWith(SECRETS);
}

function mayHoldSecrets(prefix: string): boolean {
  return prefix.startsWith(SECRETS) || SECRETS.startsWith(prefix);
}

/** Opened Secrets by version; the longest unused go first. */
class OpenedSecrets {
  readonly #sealer: Sealer;
  readonly #kept = new Map<string, StoredObject>();

  constructor(sealer: Sealer) {
    this.#sealer = sealer;
  }

  open(stored: StoredObject): StoredObject {
    const version = `${stored.revision} ${stored.key}`;
    const known = this.#kept.get(version);
    if (known !== undefined) {
      this.#kept.delete(version);
      this.#kept.set(version, known);
      return known;
    }
    const opened = { ...stored, json: openText(this.#sealer, stored.key, stored.json) };
    this.#kept.set(version, opened);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MAX_OPENED && oldest !== undefined) this.#kept.delete(oldest);
    return opened;
  }
}

function sealText(sealer: Sealer, key: StoreKey, json: string): string {
  return mapCells(json, (cell, value, encoding) => {
    const sealed = sealer.seal(`${key}#${cell}`, Buffer.from(value, encoding));
    return MARK + Buffer.from(sealed).toString('base64');
  });
}

function openText(sealer: Sealer, key: StoreKey, json: string): string {
  return mapCells(json, (cell, value, encoding) => {
    if (!value.startsWith(MARK)) return value;
    const plain = sealer.open(`${key}#${cell}`, Buffer.from(value.slice(MARK.length), 'base64'));
    return Buffer.from(plain).toString(encoding);
  });
}

/** Rewrites every value of a Secret that must not be read from the file. */
function mapCells(json: string, map: (cell: string, value: string, encoding: BufferEncoding) => string): string {
  const secret = JSON.parse(json) as KubeObject;
  const data = secret['data'];
  if (typeof data === 'object' && data !== null) {
    const cells = Object.entries(data as Record<string, unknown>);
    secret['data'] = Object.fromEntries(
      cells.map(([cell, value]) => [cell, typeof value === 'string' ? map(`data/${cell}`, value, 'base64') : value]),
    );
  }
  const { annotations } = secret.metadata;
  const applied = annotations?.[LAST_APPLIED];
  if (annotations !== undefined && applied !== undefined) {
    annotations[LAST_APPLIED] = map(`annotation/${LAST_APPLIED}`, applied, 'utf8');
  }
  return JSON.stringify(secret);
}

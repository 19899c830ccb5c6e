/** MQTT topics and filters: what is one, and which filters a topic matches. Pure. */

/** Bytes of UTF-8 that a topic may have on the wire. */
const MAX_TOPIC_BYTES = 65_535;
/** Levels of a topic: more are a mistake, and a bound on every walk. */
const MAX_LEVELS = 100;

/** Or, as text that completes the sentence "topic T …", what is wrong. */
export function problemOfTopic(topic: string): string | undefined {
  if (/[+#]/.test(topic)) return 'has wildcards';
  return problemOfText(topic);
}

/** Or, as text that completes the sentence "filter F …", what is wrong. */
export function problemOfFilter(filter: string): string | undefined {
  const levels = filter.split('/');
  for (const [at, level] of levels.entries()) {
    if (level.includes('#') && (level !== '#' || at !== levels.length - 1))
      return 'has # elsewhere than as its last level';
    if (level.includes('+') && level !== '+') return 'has + beside other characters of a level';
  }
  return problemOfText(filter);
}

/** A text that came as bytes which are no UTF-8 has U+FFFD in their place; U+0000 is forbidden as such. */
export function isSpoilt(text: string): boolean {
  return text.includes('\uFFFD') || text.includes('\u0000');
}

function problemOfText(text: string): string | undefined {
  if (text === '') return 'is empty';
  if (text.includes('\u0000')) return 'has the character U+0000';
  if (!text.isWellFormed()) return 'is not well-formed Unicode';
  if (Buffer.byteLength(text) > MAX_TOPIC_BYTES) return `has more than ${MAX_TOPIC_BYTES} bytes`;
  return text.split('/').length > MAX_LEVELS ? `has more than ${MAX_LEVELS} levels` : undefined;
}

interface TrieNode<T> {
  readonly children: Map<string, TrieNode<T>>;
  readonly values: Set<T>;
}

/** Filters with what belongs to each; a topic finds all whose filter matches it. */
export class TopicTrie<T> {
  readonly #root: TrieNode<T> = { children: new Map(), values: new Set() };

  add(filter: string, value: T): void {
    let node = this.#root;
    for (const level of filter.split('/')) {
      const known = node.children.get(level);
      const next = known ?? { children: new Map(), values: new Set() };
      if (known === undefined) node.children.set(level, next);
      node = next;
    }
    node.values.add(value);
  }

  remove(filter: string, value: T): void {
    removeAt(this.#root, filter.split('/'), 0, value);
  }

  /** Each value once a filter. */
  match(topic: string): readonly T[] {
    const found: T[] = [];
    collect(this.#root, topic.split('/'), 0, found);
    return found;
  }
}

function collect<T>(node: TrieNode<T>, levels: readonly string[], at: number, found: T[]): void {
  // A wildcard as the first level never matches what the broker says of itself.
  const mayBeWild = at > 0 || levels[0]?.startsWith('$') !== true;
  // `a/#` matches `a`, too.
  if (mayBeWild) for (const value of node.children.get('#')?.values ?? []) found.push(value);
  const level = levels[at];
  if (level === undefined) {
    for (const value of node.values) found.push(value);
    return;
  }
  // What stands in a topic is a text, even where it looks like a wildcard.
  const same = level === '+' || level === '#' ? undefined : node.children.get(level);
  if (same !== undefined) collect(same, levels, at + 1, found);
  const wild = mayBeWild ? node.children.get('+') : undefined;
  if (wild !== undefined) collect(wild, levels, at + 1, found);
}

/** Gives back whether nothing is left there. */
function removeAt<T>(node: TrieNode<T>, levels: readonly string[], at: number, value: T): boolean {
  const level = levels[at];
  if (level === undefined) node.values.delete(value);
  else {
    const next = node.children.get(level);
    if (next !== undefined && removeAt(next, levels, at + 1, value)) node.children.delete(level);
  }
  return node.values.size === 0 && node.children.size === 0;
}

/** Whether every topic that `filter` matches is matched by `within`, too. */
export function isWithin(filter: string, within: string): boolean {
  const [inner, outer] = [filter.split('/'), within.split('/')];
  if ((outer[0] === '+' || outer[0] === '#') && filter.startsWith('$')) return false;
  for (const [at, level] of outer.entries()) {
    if (level === '#') return true;
    const own = inner[at];
    if (own === undefined || own === '#') return false;
    if (level !== '+' && level !== own) return false;
  }
  return inner.length === outer.length;
}

/** YAML bodies: bounded, and read in time that grows with their length and nothing else. */
import { isNode, LineCounter, type Pair, parseDocument, visit } from 'yaml';

/** The parser takes a quarter of a second for so much. Clients send JSON, which is bounded by the body's limit alone. */
export const MAX_YAML_CHARACTERS = 512 * 1024;
/** Lists in lists on one line nest without indentation, which would bound them by the length. */
const DEEP_LINE = /(?:[-?:][ \t]+){200}/;

/** Enough for an author to see what is wrong; a body made of repeated keys must not make a long answer. */
const MAX_REPORTED = 32;

/** The value, the last of keys that stand twice, and these keys in the words of Go's YAML parser, which clients know. */
export function parseYamlBody(text: string): { value: unknown; problems: string[] } {
  if (text.length > MAX_YAML_CHARACTERS) throw new Error(`YAML is longer than ${MAX_YAML_CHARACTERS} characters`);
  if (DEEP_LINE.test(text)) throw new Error('YAML is nested too deep');
  // The parser's own search for keys that stand twice compares each key with every other.
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { uniqueKeys: false, lineCounter });
  const [error] = document.errors;
  if (error !== undefined) throw error;
  const repeated: string[] = [];
  visit(document, {
    Map: (_, { items }) => {
      for (const { key } of repeatedIn(items)) {
        if (repeated.length === MAX_REPORTED) return visit.BREAK;
        const { line } = lineCounter.linePos(isNode(key) ? (key.range?.[0] ?? 0) : 0);
        repeated.push(`  line ${line}: key ${JSON.stringify(String(key))} already set in map`);
      }
      return undefined;
    },
  });
  const problems = repeated.length === 0 ? [] : [`yaml: unmarshal errors:\n${repeated.join('\n')}`];
  return { value: document.toJS() as unknown, problems };
}

function repeatedIn(items: readonly Pair[]): Pair[] {
  const seen = new Set<string>();
  return items.filter(({ key }) => {
    const before = seen.size;
    return seen.add(String(key)).size === before;
  });
}

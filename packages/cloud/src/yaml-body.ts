/** YAML bodies: bounded, and read in time that grows with their length and nothing else. */
import { parseDocument, visit } from 'yaml';

/** The parser takes a quarter of a second for so much. Clients send JSON, which is bounded by the body's limit alone. */
export const MAX_YAML_CHARACTERS = 512 * 1024;
/** Lists in lists on one line nest without indentation, which would bound them by the length. */
const DEEP_LINE = /(?:[-?:][ \t]+){200}/;

export function parseYamlBody(text: string): unknown {
  if (text.length > MAX_YAML_CHARACTERS) throw new Error(`YAML is longer than ${MAX_YAML_CHARACTERS} characters`);
  if (DEEP_LINE.test(text)) throw new Error('YAML is nested too deep');
  // The parser's own search for keys that stand twice compares each key with every other.
  const document = parseDocument(text, { uniqueKeys: false });
  const [error] = document.errors;
  if (error !== undefined) throw error;
  visit(document, {
    Map: (_, { items }) => {
      const keys = new Set(items.map(({ key }) => String(key)));
      if (keys.size < items.length) throw new Error('a key stands twice in one mapping');
    },
  });
  return document.toJS() as unknown;
}

/** Messages as lines of JSON, for drivers in any language: what JSON cannot say is an object with one field that begins with `$`. */
import type { Duplex } from 'node:stream';
import type { Port } from './messages.ts';

/** `{"$bytes": base64}`, `{"$int": "18446744073709551615"}`, `{"$float": "NaN"}`. */
export function toLine(message: object): string {
  return `${JSON.stringify(message, replace)}\n`;
}

// `this` is the parent: a Buffer would have been turned into JSON of its own before it comes here as a value.
function replace(this: unknown, key: string, value: unknown): unknown {
  const own = (this as Readonly<Record<string, unknown>>)[key];
  if (own instanceof Uint8Array) return { $bytes: Buffer.from(own).toString('base64') };
  if (typeof own === 'bigint') return { $int: String(own) };
  if (typeof own === 'number' && !Number.isFinite(own)) return { $float: String(own) };
  return value;
}

/** Throws when the line is no JSON object, or has a tag that says nothing. */
export function fromLine(line: string): object {
  const value: unknown = JSON.parse(line, revive);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('not a message');
  return value;
}

const FLOATS: ReadonlyMap<string, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

function revive(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const [[tag, text] = ['', undefined], ...more] = Object.entries(value);
  if (more.length > 0 || typeof text !== 'string') return value;
  switch (tag) {
    case '$bytes':
      return new Uint8Array(Buffer.from(text, 'base64'));
    case '$int':
      if (!/^-?\d{1,20}$/.test(text)) throw new TypeError('not an integer');
      return BigInt(text);
    case '$float':
      return FLOATS.get(text) ?? Number.NaN;
    default:
      return value;
  }
}

/** A message may be so long. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

/** So much may wait for a reader that does not read; more ends the connection. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

/** A port over a stream of lines. Whoever sends what is no message is cut off. */
export function linePort<Out extends object, In>(stream: Duplex): Port<Out, In> {
  const closed = Promise.withResolvers<string>();
  let listener: (message: In) => void = () => {};
  const end = (reason: string) => {
    closed.resolve(reason);
    stream.destroy();
  };
  readLines(
    stream,
    (line) => {
      try {
        listener(fromLine(line) as In);
      } catch {
        end('it sent what is no message');
      }
    },
    end,
  );
  stream.on('error', (error) => end(error.message));
  stream.on('close', () => end('the connection was closed'));
  return {
    closed: closed.promise,
    close: () => end('closed'),
    onMessage: (next) => {
      listener = next;
    },
    post: (message) => {
      if (stream.destroyed) return;
      stream.write(toLine(message));
      if (stream.writableLength > MAX_WAITING_BYTES) end('it does not read');
    },
  };
}

function readLines(stream: Duplex, onLine: (line: string) => void, end: (reason: string) => void): void {
  const decoder = new TextDecoder();
  let rest = '';
  stream.on('data', (chunk: Uint8Array) => {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE_BYTES) return end(`a message is longer than ${MAX_LINE_BYTES} bytes`);
    for (const line of lines) if (line !== '' && !stream.destroyed) onLine(line);
  });
}

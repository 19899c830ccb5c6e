/** Bytes that mean something to the line are escaped within a frame, and bytes around it say where it begins and ends. Pure. */
import { FramesError } from './frames-error.ts';
import { hexBytes } from './hex.ts';

export interface StuffingOptions {
  readonly kind: string;
  readonly start?: string;
  readonly end?: string;
  readonly escape?: string;
  readonly replace?: readonly { readonly byte: string; readonly by: string }[];
  readonly tail?: number;
}

export interface Stuffing {
  /** Empty where only the end is marked. */
  readonly start: Buffer;
  readonly end: Buffer;
  readonly escapeByte: number;
  /** By the byte: what follows the escape in its place. */
  readonly sent: ReadonlyMap<number, number>;
  /** By what follows the escape: the byte. */
  readonly read: ReadonlyMap<number, number>;
  /** Bytes after the end that belong to the frame, and are never escaped. */
  readonly tail: number;
}

type Known = Required<Pick<StuffingOptions, 'start' | 'end' | 'escape' | 'replace'>>;

const KNOWN: Readonly<Record<string, Known>> = {
  Slip: {
    start: '',
    end: 'c0',
    escape: 'db',
    replace: [
      { byte: 'c0', by: 'dc' },
      { byte: 'db', by: 'dd' },
    ],
  },
  Hdlc: {
    start: '7e',
    end: '7e',
    escape: '7d',
    replace: [
      { byte: '7e', by: '5e' },
      { byte: '7d', by: '5d' },
    ],
  },
  Dle: { start: '1002', end: '1003', escape: '10', replace: [{ byte: '10', by: '10' }] },
};

export const STUFFING_KINDS: readonly string[] = [...Object.keys(KNOWN), 'Custom'];

/** Throws a FramesError. */
export function compileStuffing({ kind, tail = 0, ...given }: StuffingOptions): Stuffing {
  const { start = '', end = '', escape: mark = '', replace = [] } = KNOWN[kind] ?? given;
  const pairs = replace.map(({ byte, by }) => [byteOf(byte, 'replace'), byteOf(by, 'replace')] as const);
  const stuffing: Stuffing = {
    start: bytesOf(start, 'start'),
    end: bytesOf(end, 'end'),
    escapeByte: byteOf(mark, 'escape'),
    sent: new Map(pairs),
    read: new Map(pairs.map(([byte, by]) => [by, byte])),
    tail,
  };
  check(stuffing, pairs.length);
  return stuffing;
}

/** What is escaped must come back as it was, and nothing within a frame may look like its end. */
function check({ start, end, escapeByte, sent, read }: Stuffing, count: number): void {
  if (end.length === 0) throw new FramesError('stuffing.end: is needed');
  if (sent.size !== count || read.size !== count)
    throw new FramesError('stuffing.replace: each byte, and each that follows the escape, is there once');
  if (!sent.has(escapeByte)) throw new FramesError('stuffing.replace: the escape itself needs a replacement');
  for (const mark of [start, end]) {
    const [first, second] = mark;
    if (first === undefined || (first !== escapeByte && sent.has(first))) continue;
    if (first !== escapeByte || second === undefined || read.has(second))
      throw new FramesError('stuffing.replace: the first byte of start and of end needs a replacement');
  }
}

export function stuff({ start, end, escapeByte, sent, tail }: Stuffing, content: Uint8Array): Uint8Array {
  const stuffed: number[] = [];
  for (const byte of content.subarray(0, content.length - tail)) {
    const replacement = sent.get(byte);
    if (replacement === undefined) stuffed.push(byte);
    else stuffed.push(escapeByte, replacement);
  }
  return new Uint8Array(Buffer.concat([start, Uint8Array.from(stuffed), end, content.subarray(content.length - tail)]));
}

/** What is at the beginning of the bytes, and how many of them it takes. */
export type Unstuffed =
  | { readonly is: 'Frame'; readonly frame: Uint8Array; readonly size: number }
  | { readonly is: 'Short' }
  | { readonly is: 'None' | 'Damaged'; readonly size: number };

export function unstuff(stuffing: Stuffing, bytes: Buffer, maxBytes: number): Unstuffed {
  const { start, end, escapeByte, read } = stuffing;
  const begins = isAt(bytes, 0, start);
  if (begins !== true) return begins === false ? { is: 'None', size: 1 } : { is: 'Short' };
  const content: number[] = [];
  for (let at = start.length; at < bytes.length; ) {
    const ends = isAt(bytes, at, end);
    if (ends === true) return ended(stuffing, bytes, { at, content });
    // Another frame begins before this one has ended.
    if (start.length > 0 && isAt(bytes, at, start) === true) return { is: 'Damaged', size: at };
    const [byte = 0, next] = bytes.subarray(at);
    if (ends === undefined || (byte === escapeByte && next === undefined)) return { is: 'Short' };
    const meant = byte === escapeByte ? read.get(next ?? 0) : byte;
    if (meant === undefined || content.length >= maxBytes) return { is: 'Damaged', size: at };
    content.push(meant);
    at += byte === escapeByte ? 2 : 1;
  }
  return { is: 'Short' };
}

function ended(
  { start, end, tail }: Stuffing,
  bytes: Buffer,
  { at, content }: { readonly at: number; readonly content: readonly number[] },
): Unstuffed {
  // One mark may end a frame and begin the next.
  const isShared = tail === 0 && Buffer.compare(start, end) === 0;
  const size = isShared ? at : at + end.length + tail;
  if (content.length === 0) return { is: 'None', size };
  if (bytes.length < at + end.length + tail) return { is: 'Short' };
  const after = bytes.subarray(at + end.length, at + end.length + tail);
  return { is: 'Frame', frame: new Uint8Array(Buffer.concat([Uint8Array.from(content), after])), size };
}

/** Undefined where only its beginning has come yet. */
function isAt(bytes: Buffer, at: number, mark: Buffer): boolean | undefined {
  const there = bytes.subarray(at, at + mark.length);
  if (Buffer.compare(there, mark.subarray(0, there.length)) !== 0) return false;
  return there.length === mark.length ? true : undefined;
}

function bytesOf(text: string, name: string): Buffer {
  const bytes = hexBytes(text);
  if (bytes === undefined) throw new FramesError(`stuffing.${name}: bytes are pairs of hexadecimal digits: 10 02`);
  return Buffer.from(bytes);
}

function byteOf(text: string, name: string): number {
  const [byte, ...more] = bytesOf(text, name);
  if (byte === undefined || more.length > 0) throw new FramesError(`stuffing.${name}: is one byte, in two digits`);
  return byte;
}

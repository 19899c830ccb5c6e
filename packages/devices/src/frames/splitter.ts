/** Frames out of bytes, however they come: what is none is passed over, one byte after another, until one begins. Pure. */
import { delimiterIn, type Frames, type Part } from './description.ts';
import { checksumBytes, decodeField } from './layout.ts';
import { type Stuffing, type Unstuffed, unstuff } from './stuffing.ts';

export interface Split {
  /** Without marks and escapes, where frames have them. */
  readonly frames: readonly Uint8Array[];
  /** Frames whose checksum or whose escapes are wrong. */
  readonly damaged: number;
  /** Bytes that belong to no frame. */
  readonly skipped: number;
}

const NOTHING = Buffer.alloc(0);

type Look = Unstuffed;

export class FrameSplitter {
  readonly #frames: Frames;
  readonly #sizeOf: (bytes: Buffer) => number | 'Short' | 'None';
  #rest = NOTHING;

  constructor(frames: Frames) {
    this.#frames = frames;
    this.#sizeOf = sizing(frames);
  }

  push(bytes: Uint8Array): Split {
    const all = this.#rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes]);
    const frames: Uint8Array[] = [];
    let [at, damaged, skipped] = [0, 0, 0];
    while (at < all.length) {
      const look = this.#look(all.subarray(at));
      if (look.is === 'Short') break;
      at += look.size;
      if (look.is === 'Frame') frames.push(look.frame);
      else skipped += look.size;
      if (look.is === 'Damaged') damaged++;
    }
    this.#rest = Buffer.from(all.subarray(at));
    return { frames, damaged, skipped };
  }

  /** What began and never went on: a later frame must not be taken for its end. */
  clear(): void {
    this.#rest = NOTHING;
  }

  #look(bytes: Buffer): Look {
    const { parts, before, after, maxFrameBytes, stuffing } = this.#frames;
    if (stuffing !== undefined) return this.#lookWithin(stuffing, bytes);
    if (!beginsLike(parts, bytes)) return NONE;
    const size = this.#sizeOf(bytes);
    if (size === 'None' || (size !== 'Short' && size > maxFrameBytes)) return NONE;
    if (size === 'Short' || size > bytes.length) return bytes.length > maxFrameBytes ? NONE : { is: 'Short' };
    if (size < before + after) return NONE;
    const frame = bytes.subarray(0, size);
    // The next one may begin within what only looked like a frame.
    return isIntact(parts, frame) ? { is: 'Frame', frame: new Uint8Array(frame), size } : { is: 'Damaged', size: 1 };
  }

  /** Marks say where it is: what is between them is a frame, or damaged. */
  #lookWithin(stuffing: Stuffing, bytes: Buffer): Look {
    const { parts, before, after, maxFrameBytes } = this.#frames;
    const found = unstuff(stuffing, bytes, maxFrameBytes);
    if (found.is !== 'Frame') return found;
    const frame = Buffer.from(found.frame);
    const hasItsSize = !parts.some(({ role }) => role === 'Length') || this.#sizeOf(frame) === frame.length;
    const isWhole = frame.length >= before + after && hasItsSize && isIntact(parts, frame);
    return isWhole ? found : { is: 'Damaged', size: found.size };
  }
}

const NONE: Look = { is: 'None', size: 1 };

/** Whether its first bytes are those of a frame, as far as they have come. */
function beginsLike(parts: readonly Part[], bytes: Buffer): boolean {
  let at = 0;
  for (const part of parts) {
    if (part.role === 'Body' || at >= bytes.length) return true;
    const { constant, size = 0 } = part.field;
    const come = bytes.subarray(at, at + size);
    if (constant !== undefined && Buffer.compare(constant.subarray(0, come.length), come) !== 0) return false;
    at += size;
  }
  return true;
}

function sizing({ parts, before, after, messages }: Frames): (bytes: Buffer) => number | 'Short' | 'None' {
  const at = parts.findIndex(({ role }) => role === 'Length');
  const part = parts[at];
  if (part?.role === 'Length') {
    const { field, counts, adjust } = part;
    const start = parts
      .slice(0, at)
      .reduce((sum, each) => sum + (each.role === 'Body' ? 0 : (each.field.size ?? 0)), 0);
    const end = start + (field.size ?? 0);
    const added = adjust + { Frame: 0, Rest: end, Body: before + after }[counts];
    return (bytes) => {
      if (bytes.length < end) return 'Short';
      const count = decodeField(field, bytes.subarray(start, end));
      // Texts have digits, too.
      return Number.isSafeInteger(Number(count)) ? Number(count) + added : 'None';
    };
  }
  const delimiter = delimiterIn(parts);
  if (delimiter === undefined) {
    const [body] = [...messages.values()].map(({ bodySize = 0 }) => bodySize);
    return () => before + (body ?? 0) + after;
  }
  const { bytes: ending, gap, rest } = delimiter;
  return (bytes) => {
    const found = bytes.indexOf(ending, before + gap);
    return found < 0 ? 'Short' : found + ending.length + rest;
  };
}

function isIntact(parts: readonly Part[], frame: Buffer): boolean {
  const body = parts.findIndex(({ role }) => role === 'Body');
  let [at, end] = [0, frame.length];
  for (const part of parts.slice(body + 1).toReversed()) end -= part.role === 'Body' ? 0 : (part.field.size ?? 0);
  for (const part of parts) {
    if (part.role === 'Body') {
      at = end;
      continue;
    }
    const own = frame.subarray(at, at + (part.field.size ?? 0));
    if (part.role === 'Checksum') {
      const expected = checksumBytes(part, part.checksum.of(frame.subarray(part.from, at)));
      // Digits may be of either case.
      const come = part.isHex ? Buffer.from(own.toString('latin1').toUpperCase(), 'latin1') : own;
      if (Buffer.compare(expected, come) !== 0) return false;
    } else if (part.field.constant !== undefined && Buffer.compare(part.field.constant, own) !== 0) return false;
    at += own.length;
  }
  return true;
}

/** Fields to the bytes of a frame, and back. Pure. */
import type { RawType, RawValue } from '../values/encoding.ts';
import { ValueError } from '../values/value.ts';
import { bytesFromWire, scalarToWire } from '../values/wire.ts';
import type { Field, Frames, Message, Part, Scalar } from './description.ts';
import { FramesError } from './frames-error.ts';
import { hexBytes } from './hex.ts';
import { stuff } from './stuffing.ts';

export type Values = Readonly<Record<string, RawValue>>;

/** As it goes to the wire. `sequence`: the number of this exchange, where frames have one. Throws a FramesError. */
export function encodeFrame(frames: Frames, message: Message, values: Values, sequence = 0): Uint8Array {
  const given: Values = { ...message.with, ...values };
  const body = Buffer.concat(message.body.map((field) => encodeField(field, given)));
  const chunks: Uint8Array[] = [];
  for (const part of frames.parts) chunks.push(encodePart(part, { frames, given, body, sequence, chunks }));
  const frame = Buffer.concat(chunks);
  if (frame.length > frames.maxFrameBytes)
    throw new FramesError(`${message.name} has ${frame.length} bytes; frames have ${frames.maxFrameBytes} at most`);
  return frames.stuffing === undefined ? new Uint8Array(frame) : stuff(frames.stuffing, frame);
}

interface Encoding {
  readonly frames: Frames;
  readonly given: Values;
  readonly body: Uint8Array;
  readonly sequence: number;
  readonly chunks: readonly Uint8Array[];
}

function encodePart(part: Part, { frames, given, body, sequence, chunks }: Encoding): Uint8Array {
  switch (part.role) {
    case 'Body':
      return body;
    case 'Field':
      return encodeField(part.field, given);
    case 'Sequence':
      return encodeField({ ...part.field, value: wrapped(sequence, part.field) }, {});
    case 'Length': {
      const total = frames.before + body.length + frames.after;
      const start = chunks.reduce((sum, chunk) => sum + chunk.length, 0) + (part.field.size ?? 0);
      const counted = { Frame: total, Rest: total - start, Body: body.length }[part.counts];
      return encodeField({ ...part.field, value: counted - part.adjust }, {});
    }
    case 'Checksum': {
      const sum = part.checksum.of(Buffer.concat(chunks).subarray(part.from));
      return checksumBytes(part, sum);
    }
  }
}

/** The message's fields by name, or undefined when the frame, as a splitter gives it, is not one. */
export function decodeFrame(frames: Frames, message: Message, frame: Uint8Array): Values | undefined {
  const body = frame.subarray(frames.before, frame.length - frames.after);
  if (message.bodySize !== undefined && message.bodySize !== body.length) return undefined;
  const values: Record<string, RawValue> = {};
  const isPart = walk(
    frames.parts.flatMap((part) => (part.role === 'Body' ? [] : [part.field])),
    Buffer.concat([frame.subarray(0, frames.before), frame.subarray(frame.length - frames.after)]),
    values,
  );
  if (!isPart || !walk(message.body, body, values)) return undefined;
  const isMessage = Object.entries(message.with).every(([name, value]) => isSame(values[name], value));
  return isMessage ? values : undefined;
}

/** Which message a frame is, of all. */
export function recognise(frames: Frames, frame: Uint8Array): readonly [Message, Values] | undefined {
  for (const message of frames.messages.values()) {
    const values = decodeFrame(frames, message, frame);
    if (values !== undefined) return [message, values];
  }
  return undefined;
}

/** The number of the exchange that a frame belongs to; undefined where frames have none. */
export function sequenceIn(frames: Frames, frame: Uint8Array): number | undefined {
  let at = 0;
  for (const part of frames.parts) {
    if (part.role === 'Body') return undefined;
    const size = part.field.size ?? 0;
    if (part.role === 'Sequence') return Number(decodeField(part.field, frame.subarray(at, at + size)));
    at += size;
  }
  return undefined;
}

/** The number as the frame can hold it. */
export function sequenceOf(frames: Frames, count: number): number | undefined {
  const part = frames.parts.find(({ role }) => role === 'Sequence');
  return part?.role === 'Sequence' ? wrapped(count, part.field) : undefined;
}

function wrapped(count: number, { size = 1 }: Field): number {
  return count % 2 ** (8 * Math.min(size, 4));
}

function walk(fields: readonly Field[], bytes: Uint8Array, values: Record<string, RawValue>): boolean {
  let at = 0;
  for (const field of fields) {
    const own = bytes.subarray(at, field.size === undefined ? undefined : at + field.size);
    at += own.length;
    if (field.constant !== undefined && Buffer.compare(field.constant, own) !== 0) return false;
    const value = decodeField(field, own);
    if (value === undefined || (field.value !== undefined && !isSame(value, field.value))) return false;
    if (field.name !== undefined) values[field.name] = value;
  }
  return true;
}

/** Undefined when the bytes are no such value. */
export function decodeField({ type, byteOrder, size }: Field, bytes: Uint8Array): RawValue | undefined {
  if (type === 'bytes') return bytes.slice();
  try {
    return bytesFromWire(bytes, SCALAR, type, {
      byteOrder,
      wordOrder: byteOrder,
      ...(size === undefined ? {} : { length: size }),
    });
  } catch (error) {
    if (error instanceof ValueError) return undefined;
    throw error;
  }
}

/** Only whether it is a list is asked of a type here. */
const SCALAR = { kind: 'scalar', scalar: 'bytes' } as const;

function encodeField(field: Field, given: Values): Uint8Array {
  const { name, constant, type, byteOrder, size } = field;
  if (constant !== undefined) return constant;
  const value = (name !== undefined && Object.hasOwn(given, name) ? given[name] : undefined) ?? field.value;
  if (value === undefined) throw new FramesError(`there is no value for the field ${name ?? `of type ${type}`}`);
  try {
    const bytes = scalarToWire(asRaw(type, value), type, {
      byteOrder,
      wordOrder: byteOrder,
      ...(size === undefined ? {} : { length: size }),
    });
    if (size !== undefined && bytes.length !== size) throw new ValueError(`has ${bytes.length} bytes, not ${size}`);
    return bytes;
  } catch (cause) {
    if (!(cause instanceof ValueError)) throw cause;
    throw new FramesError(`the value for the field ${name ?? `of type ${type}`} ${cause.message}`, { cause });
  }
}

/** Bytes are written as hexadecimal digits where only text can be. */
function asRaw(type: RawType, value: RawValue): RawValue {
  if (type !== 'bytes' || typeof value !== 'string') return value;
  const bytes = hexBytes(value);
  if (bytes === undefined) throw new ValueError('must be pairs of hexadecimal digits');
  return bytes;
}

/** Also a number beside a bigint, and bytes beside their digits. */
export function isSame(value: RawValue | undefined, expected: Scalar | undefined): boolean {
  if (value instanceof Uint8Array) {
    const bytes = typeof expected === 'string' ? hexBytes(expected) : undefined;
    return bytes !== undefined && Buffer.compare(bytes, value) === 0;
  }
  if (typeof value === 'bigint') return value.toString() === String(expected);
  if (typeof value === 'number' && typeof expected === 'number')
    return value === expected || value === Math.fround(expected);
  return value === expected;
}

type ChecksumPart = Extract<Part, { readonly role: 'Checksum' }>;

export function checksumBytes({ checksum, field, isHex }: ChecksumPart, sum: number): Uint8Array {
  const bytes = Buffer.alloc(checksum.size);
  if (field.byteOrder === 'little') bytes.writeUIntLE(sum, 0, checksum.size);
  else bytes.writeUIntBE(sum, 0, checksum.size);
  return isHex ? Buffer.from(bytes.toString('hex').toUpperCase(), 'latin1') : bytes;
}

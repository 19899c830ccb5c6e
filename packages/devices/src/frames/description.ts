/** What a Device says of a private protocol (`connection.options`), and what is made of it. Pure. */
import { RAW_TYPES, type RawType } from '../values/encoding.ts';
import { wireSize } from '../values/wire.ts';
import { CHECKSUM_KINDS, type Checksum, type Crc, checksumOf } from './checksum.ts';
import { FramesError } from './frames-error.ts';
import { hexBytes } from './hex.ts';
import { compileStuffing, type Stuffing, type StuffingOptions } from './stuffing.ts';

export type Scalar = string | number | boolean;
export type Scalars = Readonly<Record<string, Scalar>>;

/** As it is written; `protocols/frames.ts` has its schema. */
export interface FramesOptions {
  readonly frame?: readonly PartOptions[];
  readonly stuffing?: StuffingOptions;
  readonly messages?: readonly MessageOptions[];
  readonly requests?: readonly RequestOptions[];
  readonly captures?: readonly CaptureOptions[];
  readonly maxFrameBytes?: number;
  readonly values?: Scalars;
  readonly identity?: readonly string[];
}

export interface FieldOptions {
  readonly name?: string;
  readonly bytes?: string;
  readonly type?: RawType;
  readonly byteOrder?: 'big' | 'little';
  readonly length?: number;
  readonly value?: Scalar;
}

export interface PartOptions extends FieldOptions {
  readonly role?: 'Field' | 'Length' | 'Sequence' | 'Body' | 'Checksum';
  readonly counts?: 'Frame' | 'Rest' | 'Body';
  readonly adjust?: number;
  readonly kind?: string;
  readonly crc?: Crc;
  readonly from?: number;
  readonly hex?: boolean;
}

export interface MessageOptions {
  readonly name: string;
  readonly with?: Scalars;
  readonly body?: readonly FieldOptions[];
}

export interface RequestOptions {
  readonly name: string;
  readonly send: string;
  readonly answer?: string;
  readonly refusal?: string;
}

export interface CaptureOptions {
  readonly bytes: string;
  readonly message?: string;
  readonly fields?: Scalars;
  readonly sent?: boolean;
}

// ——— what is made of it ———

export interface Field {
  readonly name: string | undefined;
  /** Always these bytes. */
  readonly constant: Uint8Array | undefined;
  readonly type: RawType;
  readonly byteOrder: 'big' | 'little';
  /** In bytes; undefined: as much as there is. */
  readonly size: number | undefined;
  /** What it is, where nobody says otherwise; what came must be the same. */
  readonly value: Scalar | undefined;
}

export type Part =
  | { readonly role: 'Field'; readonly field: Field }
  | { readonly role: 'Sequence'; readonly field: Field }
  | {
      readonly role: 'Length';
      readonly field: Field;
      readonly counts: 'Frame' | 'Rest' | 'Body';
      readonly adjust: number;
    }
  | { readonly role: 'Body' }
  | {
      readonly role: 'Checksum';
      readonly field: Field;
      readonly checksum: Checksum;
      readonly from: number;
      readonly isHex: boolean;
    };

export interface Message {
  readonly name: string;
  readonly with: Scalars;
  readonly body: readonly Field[];
  /** In bytes; undefined where its last field takes what there is. */
  readonly bodySize: number | undefined;
}

export interface Request {
  readonly send: Message;
  readonly answer: Message | undefined;
  readonly refusal: Message | undefined;
}

export interface Frames {
  readonly parts: readonly Part[];
  /** The parts are those of the frame before its bytes are escaped, and without the marks around it. */
  readonly stuffing: Stuffing | undefined;
  /** Of the parts before and after the body. */
  readonly before: number;
  readonly after: number;
  readonly messages: ReadonlyMap<string, Message>;
  readonly requests: ReadonlyMap<string, Request>;
  readonly maxFrameBytes: number;
}

const MAX_FRAME_BYTES = 4096;

/** Throws a FramesError. */
export function compileFrames(options: FramesOptions): Frames {
  const parts = (options.frame ?? []).map((part, at) => compilePart(part, `frame[${at}]`));
  const body = parts.findIndex(({ role }) => role === 'Body');
  if (body < 0) throw new FramesError('frame: one part has the role Body');
  if (parts.filter(({ role }) => role === 'Body').length > 1) throw new FramesError('frame: only one part is the Body');
  const messages = new Map((options.messages ?? []).map((message) => [message.name, compileMessage(message)] as const));
  const frames: Frames = {
    parts,
    stuffing: options.stuffing === undefined ? undefined : compileStuffing(options.stuffing),
    before: sizeOf(parts.slice(0, body)),
    after: sizeOf(parts.slice(body + 1)),
    messages,
    requests: new Map((options.requests ?? []).map((each) => [each.name, compileRequest(each, messages)] as const)),
    maxFrameBytes: options.maxFrameBytes ?? MAX_FRAME_BYTES,
  };
  checkEnd(frames, body);
  checkIdentity(frames, options);
  return frames;
}

/** Where a frame ends must follow from something: a mark, a length, bytes after the body, or bodies of one size. */
function checkEnd({ parts, messages, stuffing }: Frames, body: number): void {
  const lengths = parts.flatMap(({ role }, at) => (role === 'Length' ? [at] : []));
  if (lengths.some((at) => at > body)) throw new FramesError('frame: the Length comes before the Body');
  if (stuffing !== undefined || lengths.length > 0 || delimiterIn(parts) !== undefined) return;
  const sizes = new Set([...messages.values()].map(({ bodySize }) => bodySize));
  if (sizes.size !== 1 || sizes.has(undefined))
    throw new FramesError('frame: without a Length and without bytes after the Body all messages have one size');
}

/** Whose a frame is must be in each of them, and known. */
function checkIdentity({ parts }: Frames, { identity = [], values = {} }: FramesOptions): void {
  for (const name of identity) {
    if (!parts.some((part) => part.role === 'Field' && part.field.name === name))
      throw new FramesError(`identity: the frame has no field ${name}`);
    if (!Object.hasOwn(values, name)) throw new FramesError(`identity: values has no ${name}`);
  }
}

/** The constant that ends frames, with the size of what stands between the body and it. */
export function delimiterIn(
  parts: readonly Part[],
): { readonly bytes: Uint8Array; readonly gap: number; readonly rest: number } | undefined {
  const after = parts.slice(parts.findIndex(({ role }) => role === 'Body') + 1);
  const at = after.findIndex((part) => part.role === 'Field' && part.field.constant !== undefined);
  const part = after[at];
  if (part?.role !== 'Field' || part.field.constant === undefined) return undefined;
  return { bytes: part.field.constant, gap: sizeOf(after.slice(0, at)), rest: sizeOf(after.slice(at + 1)) };
}

function compilePart(part: PartOptions, path: string): Part {
  const { role = 'Field' } = part;
  switch (role) {
    case 'Body':
      return { role };
    case 'Checksum': {
      const { kind = '', crc, from = 0, hex = false, byteOrder = 'big' } = part;
      const checksum = checksumOf(kind, crc);
      if (checksum === undefined)
        throw new FramesError(`${path}: kind is one of ${CHECKSUM_KINDS.join(', ')}; Crc has its parameters in crc`);
      const size = checksum.size * (hex ? 2 : 1);
      const field: Field = { name: undefined, constant: undefined, type: 'bytes', byteOrder, size, value: undefined };
      return { role, field, checksum, from, isHex: hex };
    }
    case 'Length':
      return {
        role,
        field: sized(part, path),
        counts: part.counts ?? 'Rest',
        adjust: part.adjust ?? 0,
      };
    case 'Field':
    case 'Sequence':
      return { role, field: sized(part, path) };
  }
}

/** A part of every frame has a size, so that one knows where the next begins. */
function sized(options: FieldOptions, path: string): Field {
  const field = compileField(options, path);
  if (field.size === undefined) throw new FramesError(`${path}: needs a length`);
  return field;
}

function compileField(options: FieldOptions, path: string): Field {
  const { name, bytes, type = 'uint8', byteOrder = 'big', length, value } = options;
  const constant = bytes === undefined ? undefined : hexBytes(bytes);
  if (bytes !== undefined && (constant === undefined || constant.length === 0))
    throw new FramesError(`${path}: bytes are pairs of hexadecimal digits: 02 0d`);
  if (!RAW_TYPES.includes(type)) throw new FramesError(`${path}: there is no type ${type}`);
  const size = constant?.length ?? wireSize({ kind: 'scalar', scalar: 'bytes' }, type, length);
  return { name, constant, type, byteOrder, size, value };
}

function compileMessage({ name, with: fixed = {}, body = [] }: MessageOptions): Message {
  const fields = body.map((each, at) => compileField(each, `messages.${name}.body[${at}]`));
  const open = fields.findIndex(({ size }) => size === undefined);
  if (open >= 0 && open < fields.length - 1)
    throw new FramesError(`messages.${name}.body[${open}]: needs a length, as it is not the last`);
  const bodySize = open >= 0 ? undefined : fields.reduce((sum, { size = 0 }) => sum + size, 0);
  return { name, with: fixed, body: fields, bodySize };
}

function compileRequest(
  { name, send, answer, refusal }: RequestOptions,
  messages: ReadonlyMap<string, Message>,
): Request {
  const named = (message: string) => {
    const found = messages.get(message);
    if (found === undefined) throw new FramesError(`requests.${name}: there is no message ${message}`);
    return found;
  };
  return {
    send: named(send),
    answer: answer === undefined ? undefined : named(answer),
    refusal: refusal === undefined ? undefined : named(refusal),
  };
}

function sizeOf(parts: readonly Part[]): number {
  return parts.reduce((sum, part) => sum + (part.role === 'Body' ? 0 : (part.field.size ?? 0)), 0);
}

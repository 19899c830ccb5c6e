/** What edge and cloud say to each other on the road's stream. SPEC.md tells when. */
import { STORED_TYPES, type StoredType } from '../../store/index.ts';
import { ByteReader, ByteWriter } from './bytes.ts';

export const ROAD_VERSION = 1;

export const QUEUE_ID_BYTES = 16;

/** In which order a queue's blocks come: those that are due now, and those that waited. Each lane has blocks in the order of numbers. */
export const LANES = ['live', 'late'] as const;
export type Lane = (typeof LANES)[number];

/** How far a queue is in the cloud. 0 before the first block. */
export interface Position {
  /** Every block up to this one is in the cloud, or will never come. */
  readonly late: number;
  /** And so are those from `liveFrom` to `live`; none if `live` is below. */
  readonly liveFrom: number;
  readonly live: number;
}

/** A queue goes by its number in this session, from 0: the cloud counts `open`s. */
export type EdgeMessage =
  | { readonly type: 'hello'; readonly version: number; readonly queues: readonly Uint8Array[] }
  | { readonly type: 'open'; readonly id: Uint8Array }
  | { readonly type: 'resume'; readonly queue: number; readonly liveFrom: number }
  | { readonly type: 'series'; readonly series: readonly SeriesName[] }
  /** Of the block that is on its way on this lane; the first of a block begins with `queue` and `number`. */
  | { readonly type: 'piece'; readonly lane: Lane; readonly isLast: boolean; readonly bytes: Uint8Array };

export interface SeriesName {
  /** In this session, as blocks name it. */
  readonly id: number;
  readonly type: StoredType;
  readonly labels: Readonly<Record<string, string>>;
}

export type CloudMessage =
  | ({ readonly type: 'at'; readonly queue: number } & Position)
  /** So many bytes of late pieces have come since the session began: what the edge paces them by. */
  | { readonly type: 'got'; readonly bytes: number }
  /** Every block of the lane up to this one is on disk, save for these rows, which the cloud will never take. */
  | {
      readonly type: 'ack';
      readonly queue: number;
      readonly lane: Lane;
      readonly number: number;
      readonly refused: number;
      readonly reason: string;
    };

const Type = { hello: 1, open: 2, resume: 3, series: 4, piece: 5, at: 16, got: 17, ack: 18 } as const;

export const MAX_QUEUES = 64;
const MAX_LABELS = 16;
const MAX_LABEL_BYTES = 256;

export function encodeEdgeMessage(message: EdgeMessage): Uint8Array {
  const out = new ByteWriter();
  out.byte(Type[message.type]);
  switch (message.type) {
    case 'hello':
      out.varint(message.version);
      for (const id of message.queues) out.bytes(id);
      break;
    case 'open':
      out.bytes(message.id);
      break;
    case 'resume':
      out.varint(message.queue);
      out.varint(message.liveFrom);
      break;
    case 'series':
      for (const each of message.series) writeSeries(out, each);
      break;
    case 'piece':
      out.byte(LANES.indexOf(message.lane) * 2 + (message.isLast ? 1 : 0));
      out.bytes(message.bytes);
      break;
  }
  return out.take();
}

/** Throws a RangeError for what is no message. */
export function decodeEdgeMessage(bytes: Uint8Array): EdgeMessage {
  const input = new ByteReader(bytes);
  const type = input.byte();
  switch (type) {
    case Type.hello: {
      const version = input.varint();
      const queues: Uint8Array[] = [];
      while (!input.isAtEnd && queues.length < MAX_QUEUES) queues.push(input.bytes(QUEUE_ID_BYTES).slice());
      return whole(input, { type: 'hello', version, queues });
    }
    case Type.open:
      return whole(input, { type: 'open', id: input.bytes(QUEUE_ID_BYTES).slice() });
    case Type.resume:
      return whole(input, { type: 'resume', queue: input.varint(), liveFrom: input.varint() });
    case Type.series: {
      const series: SeriesName[] = [];
      while (!input.isAtEnd) series.push(readSeries(input));
      return { type: 'series', series };
    }
    case Type.piece: {
      const flags = input.byte();
      return { type: 'piece', lane: laneOf(flags >> 1), isLast: flags % 2 === 1, bytes: input.rest() };
    }
    default:
      throw new RangeError('no such message');
  }
}

export function encodeCloudMessage(message: CloudMessage): Uint8Array {
  const out = new ByteWriter();
  out.byte(Type[message.type]);
  switch (message.type) {
    case 'at':
      out.varint(message.queue);
      writePosition(out, message);
      break;
    case 'got':
      out.varint(message.bytes);
      break;
    case 'ack':
      out.varint(message.queue);
      out.byte(LANES.indexOf(message.lane));
      out.varint(message.number);
      out.varint(message.refused);
      out.text(message.reason);
      break;
  }
  return out.take();
}

export function decodeCloudMessage(bytes: Uint8Array): CloudMessage {
  const input = new ByteReader(bytes);
  const type = input.byte();
  switch (type) {
    case Type.at:
      return whole(input, { type: 'at', queue: input.varint(), ...readPosition(input) });
    case Type.got:
      return whole(input, { type: 'got', bytes: input.varint() });
    case Type.ack:
      return whole(input, {
        type: 'ack',
        queue: input.varint(),
        lane: laneOf(input.byte()),
        number: input.varint(),
        refused: input.varint(),
        reason: input.text(),
      });
    default:
      throw new RangeError('no such message');
  }
}

/** What stands before a block's own bytes in its first piece. */
export function encodeAddress(queue: number, number: number): Uint8Array {
  const out = new ByteWriter();
  out.varint(queue);
  out.varint(number);
  return out.take();
}

export interface AddressedBlock {
  readonly queue: number;
  readonly number: number;
  readonly block: Uint8Array;
}

export function splitAddress(bytes: Uint8Array): AddressedBlock {
  const input = new ByteReader(bytes);
  return { queue: input.varint(), number: input.varint(), block: input.rest() };
}

export function writePosition(out: ByteWriter, { late, liveFrom, live }: Position): void {
  out.varint(late);
  out.varint(liveFrom);
  out.varint(live);
}

export function readPosition(input: ByteReader): Position {
  return { late: input.varint(), liveFrom: input.varint(), live: input.varint() };
}

function writeSeries(out: ByteWriter, { id, type, labels }: SeriesName): void {
  out.varint(id);
  out.byte(STORED_TYPES.indexOf(type));
  const entries = Object.entries(labels);
  out.varint(entries.length);
  for (const [name, value] of entries) {
    out.text(name);
    out.text(value);
  }
}

function readSeries(input: ByteReader): SeriesName {
  const id = input.varint();
  const type = STORED_TYPES[input.byte()];
  const count = input.varint();
  if (type === undefined || count > MAX_LABELS) throw new RangeError('no such series');
  const labels = Array.from({ length: count }, (): [string, string] => [readLabel(input), readLabel(input)]);
  return { id, type, labels: Object.fromEntries(labels) };
}

function readLabel(input: ByteReader): string {
  const bytes = input.block();
  if (bytes.length > MAX_LABEL_BYTES) throw new RangeError('a label is too long');
  return Buffer.from(bytes).toString();
}

function laneOf(number: number): Lane {
  const lane = LANES[number];
  if (lane === undefined) throw new RangeError('no such lane');
  return lane;
}

function whole<Read>(input: ByteReader, value: Read): Read {
  if (!input.isAtEnd) throw new RangeError('a message is longer than it says');
  return value;
}

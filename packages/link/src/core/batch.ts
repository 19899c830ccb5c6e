/** The binary forms of what is cut into pieces: batches of state, of held versions, of outbox entries. */
import type { OutboxEntry, Position, StateChange } from '../contract.ts';
import { errors } from '../errors.ts';
import {
  MAX_CHANGE_BYTES,
  MAX_KEY_BYTES,
  MAX_OUTBOX_ENTRY_BYTES,
  MAX_POSITION_BYTES,
  OUTBOX_WINDOW_BYTES,
  STATE_BATCH_BYTES,
} from '../limits.ts';
import { ByteReader, ByteWriter } from './bytes.ts';

/** The largest a batch can be: one that was nearly full and then took the largest item. */
export const MAX_STATE_BATCH_BYTES = STATE_BATCH_BYTES + MAX_CHANGE_BYTES + 4 * MAX_KEY_BYTES;
export const MAX_OUTBOX_BATCH_BYTES = STATE_BATCH_BYTES + MAX_OUTBOX_ENTRY_BYTES + 4 * MAX_KEY_BYTES;

const PUT = 1;
const DELETE = 0;
const MAX_VERSION_BYTES = 256;

export interface StateBatch {
  readonly changes: readonly StateChange[];
  /** Absent when more batches of the same `send` follow: the replica keeps the position it has. */
  readonly position: Position | undefined;
}

/** Cuts changes into batches; only the last carries the position, so that a crash in between only repeats. */
export function* encodeState(changes: readonly StateChange[], position: Position): Generator<Uint8Array> {
  if (position.length > MAX_POSITION_BYTES) {
    throw errors.PROTOCOL({ detail: `position of ${position.length} bytes, ${MAX_POSITION_BYTES} allowed` });
  }
  let body = new ByteWriter(256);
  for (const change of changes) {
    if (body.size >= STATE_BATCH_BYTES) {
      yield new ByteWriter(body.size + 1).byte(0).raw(body.finish()).finish();
      body = new ByteWriter(STATE_BATCH_BYTES);
    }
    writeChange(body, change);
  }
  const size = body.size + position.length + 4;
  yield new ByteWriter(size).byte(1).block(position).raw(body.finish()).finish();
}

function writeChange(body: ByteWriter, change: StateChange): void {
  if ('deleted' in change) {
    body.byte(DELETE).text(change.key);
    return;
  }
  const { key, version, bytes } = change;
  if (bytes.length > MAX_CHANGE_BYTES) {
    throw errors.CHANGE_TOO_LARGE({ key, size: bytes.length, limit: MAX_CHANGE_BYTES });
  }
  body.byte(PUT).text(key).text(version).block(bytes);
}

export function decodeState(batch: Uint8Array): StateBatch {
  const reader = new ByteReader(batch);
  const position = reader.byte() === 1 ? reader.block(MAX_POSITION_BYTES) : undefined;
  const changes: StateChange[] = [];
  while (reader.left > 0) changes.push(readChange(reader));
  return { changes, position };
}

function readChange(reader: ByteReader): StateChange {
  const kind = reader.byte();
  const key = reader.text(MAX_KEY_BYTES);
  if (kind === DELETE) return { key, deleted: true };
  if (kind !== PUT) throw errors.PROTOCOL({ detail: `change of kind ${kind}` });
  return { key, version: reader.text(MAX_VERSION_BYTES), bytes: reader.block(MAX_CHANGE_BYTES) };
}

export type HeldVersion = readonly [key: string, version: string];

export function encodeVersions(versions: readonly HeldVersion[]): Uint8Array {
  const body = new ByteWriter(1024);
  for (const [key, version] of versions) body.text(key).text(version);
  return body.finish();
}

export function* decodeVersions(batch: Uint8Array): Generator<HeldVersion> {
  const reader = new ByteReader(batch);
  while (reader.left > 0) yield [reader.text(MAX_KEY_BYTES), reader.text(MAX_VERSION_BYTES)];
}

/** Takes entries from the front of `entries` until a batch is full; says how many. */
export function encodeOutbox(entries: readonly OutboxEntry[]): { readonly batch: Uint8Array; readonly count: number } {
  const body = new ByteWriter(256);
  let count = 0;
  let previous = 0;
  for (const { seq, key, bytes } of entries) {
    if (body.size >= STATE_BATCH_BYTES || body.size >= OUTBOX_WINDOW_BYTES) break;
    body.varint(seq - previous);
    if (key === undefined) body.byte(0);
    else body.byte(1).text(key);
    body.block(bytes);
    previous = seq;
    count++;
  }
  return { batch: body.finish(), count };
}

/** Invariant: sequence numbers in a batch grow, and all are above `after`. */
export function decodeOutbox(batch: Uint8Array, after: number): OutboxEntry[] {
  const reader = new ByteReader(batch);
  const entries: OutboxEntry[] = [];
  let previous = 0;
  while (reader.left > 0) {
    const seq = previous + reader.varint();
    if (seq <= Math.max(previous, after)) throw errors.PROTOCOL({ detail: `outbox entry ${seq} out of order` });
    const key = reader.byte() === 1 ? reader.text(MAX_KEY_BYTES) : undefined;
    const bytes = reader.block(MAX_OUTBOX_ENTRY_BYTES);
    entries.push(key === undefined ? { seq, bytes } : { seq, key, bytes });
    previous = seq;
  }
  return entries;
}

/** How far a replica is, in 46 bytes: which history, which revision, what it then held, and which of its own writes that includes. */
import type { Digest } from './digest.ts';

export interface Position {
  /** The store's epoch: revisions of another history mean nothing. */
  readonly epoch: string;
  readonly revision: number;
  readonly digest: Digest;
  /** False while only a part of what concerns the node was sent: the digest says nothing then. */
  readonly isWhole: boolean;
  /** The last outbox entry whose effect the state includes; undefined when the feed does not know. */
  readonly included: number | undefined;
}

const FORMAT = 1;
const BYTES = 46;
const WHOLE = 1;
const KNOWS_INCLUDED = 2;

export function encodePosition({ epoch, revision, digest, isWhole, included }: Position): Uint8Array {
  const bytes = new Uint8Array(BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, FORMAT);
  view.setUint8(1, (isWhole ? WHOLE : 0) | (included === undefined ? 0 : KNOWS_INCLUDED));
  bytes.set(epochBytes(epoch), 2);
  view.setFloat64(18, revision);
  view.setUint32(26, digest.count);
  view.setUint32(30, digest.high);
  view.setUint32(34, digest.low);
  view.setFloat64(38, included ?? 0);
  return bytes;
}

/** Undefined for no position, or one that another version of this program wrote. */
export function decodePosition(bytes: Uint8Array): Position | undefined {
  if (bytes.length !== BYTES || bytes[0] !== FORMAT) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const flags = view.getUint8(1);
  return {
    epoch: epochText(bytes.subarray(2, 18)),
    revision: view.getFloat64(18),
    digest: { count: view.getUint32(26), high: view.getUint32(30), low: view.getUint32(34) },
    isWhole: (flags & WHOLE) !== 0,
    included: (flags & KNOWS_INCLUDED) === 0 ? undefined : view.getFloat64(38),
  };
}

/** The same position for a replica that has taken on a part of what follows it: its digest no longer holds. */
export function asPartial(position: Uint8Array): Uint8Array {
  const known = decodePosition(position);
  return known === undefined ? position : encodePosition({ ...known, isWhole: false });
}

/** The epoch is a UUID. */
function epochBytes(epoch: string): Buffer {
  return Buffer.from(epoch.replaceAll('-', ''), 'hex').subarray(0, 16);
}

function epochText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

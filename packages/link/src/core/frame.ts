/** The frames of the link: `type, varint length, body`. A WebSocket message is one frame or several, back to back. */
import { errors } from '../errors.ts';
import {
  MAX_ABORT_TEXT_BYTES,
  MAX_FRAME_BODY_BYTES,
  MAX_POSITION_BYTES,
  MAX_STREAM_HEADER_BYTES,
  MAX_STREAM_MESSAGE_BYTES,
} from '../limits.ts';
import { ByteReader, ByteWriter, cutText, decodeText, varintSize } from './bytes.ts';

/** Which way first. Lower goes first, always. */
export const Lane = { control: 0, state: 1, telemetry: 2, bulk: 3 } as const;
export type Lane = (typeof Lane)[keyof typeof Lane];

/** Why a comer is refused or a session is ended. */
export const Reason = {
  other: 0,
  busy: 1,
  copy: 2,
  revoked: 3,
  version: 4,
  stopping: 5,
  replaced: 6,
  certificate: 7,
} as const;
export type Reason = (typeof Reason)[keyof typeof Reason];

/** WebSocket close codes that the link uses; 1009 comes from the WebSocket layer itself. */
export const CloseCode = { normal: 1000, protocol: 1002, refused: 1008, silent: 4000 } as const;

/** Belongs to one path: not numbered, not repeated on another. */
export type PathFrame =
  | {
      readonly type: 'hello';
      readonly lowest: number;
      readonly highest: number;
      readonly sessionNumber: number;
      readonly heartbeatMs: number;
      /** Frames received in the session that `key` names. */
      readonly received: number;
      /** Of the session this path wants to join; empty for a new one. */
      readonly key: Uint8Array;
      /** The session lives on another path: no new one in its place. */
      readonly joinOnly: boolean;
    }
  | {
      readonly type: 'welcome';
      readonly version: number;
      readonly resumed: boolean;
      readonly sessionNumber: number;
      readonly received: number;
      readonly key: Uint8Array;
    }
  | { readonly type: 'refuse'; readonly reason: Reason; readonly retryAfterMs: number; readonly text: string }
  | { readonly type: 'ping'; readonly nonce: number }
  | { readonly type: 'pong'; readonly nonce: number }
  | { readonly type: 'ack'; readonly received: number }
  | { readonly type: 'switch'; readonly generation: number; readonly first: number }
  | { readonly type: 'bye'; readonly reason: Reason; readonly text: string };

/** Belongs to the session: numbered by its place, acknowledged, repeated on another path when one fails. */
export type SessionFrame =
  | { readonly type: 'sync'; readonly position: Uint8Array }
  | { readonly type: 'ask-versions' }
  | { readonly type: 'versions'; readonly more: boolean; readonly piece: Uint8Array }
  | { readonly type: 'state'; readonly more: boolean; readonly piece: Uint8Array }
  | { readonly type: 'current'; readonly position: Uint8Array }
  | { readonly type: 'applied'; readonly bytes: number }
  | { readonly type: 'outbox'; readonly more: boolean; readonly piece: Uint8Array }
  | { readonly type: 'outbox-ack'; readonly seq: number }
  | { readonly type: 'open'; readonly id: number; readonly lane: Lane; readonly header: Uint8Array }
  | { readonly type: 'accept'; readonly id: number }
  | { readonly type: 'data'; readonly id: number; readonly bytes: Uint8Array }
  | { readonly type: 'credit'; readonly id: number; readonly bytes: number }
  /** `isFinal`: the answer is over, nothing more is read either. */
  | { readonly type: 'end'; readonly id: number; readonly isFinal: boolean }
  | { readonly type: 'abort'; readonly id: number; readonly text: Uint8Array };

export type Frame = PathFrame | SessionFrame;

const CODES = {
  hello: 0x01,
  welcome: 0x02,
  refuse: 0x03,
  ping: 0x04,
  pong: 0x05,
  ack: 0x06,
  switch: 0x07,
  bye: 0x08,
  sync: 0x10,
  'ask-versions': 0x11,
  versions: 0x12,
  state: 0x13,
  current: 0x14,
  applied: 0x15,
  outbox: 0x16,
  'outbox-ack': 0x17,
  open: 0x20,
  accept: 0x21,
  data: 0x22,
  credit: 0x23,
  end: 0x24,
  abort: 0x25,
} as const satisfies Record<Frame['type'], number>;

const FIRST_SESSION_CODE = 0x10;
const TYPES = new Map<number, Frame['type']>(
  Object.entries(CODES).map(([type, code]) => [code, type as Frame['type']]),
);
/** The size of the secret that lets a path join a session. */
export const KEY_BYTES = 16;
const NOTHING = new Uint8Array(0);

export function isSessionFrame(frame: Frame): frame is SessionFrame {
  return CODES[frame.type] >= FIRST_SESSION_CODE;
}

export function encodeFrame(frame: Frame): Uint8Array {
  const code = CODES[frame.type];
  switch (frame.type) {
    case 'data':
      return assemble(code, new ByteWriter(8).varint(frame.id).finish(), frame.bytes);
    case 'state':
    case 'outbox':
    case 'versions':
      return assemble(code, new ByteWriter(1).byte(frame.more ? 1 : 0).finish(), frame.piece);
    default:
      return assemble(code, encodeBody(frame), NOTHING);
  }
}

function encodeBody(frame: Exclude<Frame, { type: 'data' | 'state' | 'outbox' | 'versions' }>): Uint8Array {
  const body = new ByteWriter(16);
  switch (frame.type) {
    case 'hello':
      body.varint(frame.lowest).varint(frame.highest).varint(frame.sessionNumber).varint(frame.heartbeatMs);
      return body
        .varint(frame.received)
        .block(frame.key)
        .byte(frame.joinOnly ? 1 : 0)
        .finish();
    case 'welcome':
      body
        .varint(frame.version)
        .byte(frame.resumed ? 1 : 0)
        .varint(frame.sessionNumber);
      return body.varint(frame.received).block(frame.key).finish();
    case 'refuse':
      return body.byte(frame.reason).varint(frame.retryAfterMs).raw(cutText(frame.text, MAX_ABORT_TEXT_BYTES)).finish();
    case 'bye':
      return body.byte(frame.reason).raw(cutText(frame.text, MAX_ABORT_TEXT_BYTES)).finish();
    case 'ping':
    case 'pong':
      return body.varint(frame.nonce).finish();
    case 'ack':
      return body.varint(frame.received).finish();
    case 'switch':
      return body.varint(frame.generation).varint(frame.first).finish();
    case 'sync':
    case 'current':
      return frame.position;
    case 'ask-versions':
      return NOTHING;
    case 'applied':
      return body.varint(frame.bytes).finish();
    case 'outbox-ack':
      return body.varint(frame.seq).finish();
    case 'open':
      return body.varint(frame.id).byte(frame.lane).raw(frame.header).finish();
    case 'accept':
      return body.varint(frame.id).finish();
    case 'end':
      return body
        .varint(frame.id)
        .byte(frame.isFinal ? 1 : 0)
        .finish();
    case 'credit':
      return body.varint(frame.id).varint(frame.bytes).finish();
    case 'abort':
      return body.varint(frame.id).raw(frame.text).finish();
  }
}

function assemble(code: number, head: Uint8Array, payload: Uint8Array): Uint8Array {
  const length = head.length + payload.length;
  const prefix = 1 + varintSize(length);
  const frame = new Uint8Array(prefix + length);
  frame[0] = code;
  let at = 1;
  let rest = length;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) frame[at++] = (rest % 0x80) | 0x80;
  frame[at++] = rest;
  frame.set(head, at);
  frame.set(payload, at + head.length);
  return frame;
}

/** A frame and the bytes it took on the wire. */
export interface Received {
  readonly frame: Frame;
  readonly size: number;
}

/** Takes a message apart, one frame after the other; what is inside them are views of it. Throws LINK_PROTOCOL. */
export function* decodeFrames(message: Uint8Array): Generator<Received, void, undefined> {
  const reader = new ByteReader(message);
  while (reader.left > 0) {
    const before = reader.left;
    const code = reader.byte();
    const type = TYPES.get(code);
    if (type === undefined) throw errors.PROTOCOL({ detail: `frame type ${code} is unknown` });
    const body = new ByteReader(reader.block(MAX_FRAME_BODY_BYTES));
    const frame = decodeBody(type, body);
    if (body.left > 0) throw errors.PROTOCOL({ detail: `frame ${type} has ${body.left} bytes too many` });
    yield { frame, size: before - reader.left };
  }
}

function decodeBody(type: Frame['type'], body: ByteReader): Frame {
  switch (type) {
    case 'data':
      return { type, id: body.varint(), bytes: limited(body.rest(), MAX_STREAM_MESSAGE_BYTES) };
    case 'state':
    case 'outbox':
    case 'versions':
      return { type, more: body.byte() === 1, piece: body.rest() };
    case 'hello':
      return decodeHello(body);
    case 'welcome':
      return decodeWelcome(body);
    case 'refuse':
      return { type, reason: toReason(body.byte()), retryAfterMs: body.varint(), text: decodeText(body.rest()) };
    case 'bye':
      return { type, reason: toReason(body.byte()), text: decodeText(body.rest()) };
    case 'ping':
    case 'pong':
      return { type, nonce: body.varint() };
    case 'ack':
      return { type, received: body.varint() };
    case 'switch':
      return { type, generation: body.varint(), first: body.varint() };
    case 'sync':
    case 'current':
      return { type, position: limited(body.rest(), MAX_POSITION_BYTES) };
    case 'ask-versions':
      return { type };
    case 'applied':
      return { type, bytes: body.varint() };
    case 'outbox-ack':
      return { type, seq: body.varint() };
    case 'open':
      return { type, id: body.varint(), lane: toStreamLane(body.byte()), header: limitedHeader(body) };
    case 'accept':
      return { type, id: body.varint() };
    case 'end':
      return { type, id: body.varint(), isFinal: body.byte() === 1 };
    case 'credit':
      return { type, id: body.varint(), bytes: body.varint() };
    case 'abort':
      return { type, id: body.varint(), text: limited(body.rest(), MAX_ABORT_TEXT_BYTES) };
  }
}

// Later versions may append fields to the greeting; what is not known is read over.
function decodeHello(body: ByteReader): PathFrame {
  const [lowest, highest, sessionNumber] = [body.varint(), body.varint(), body.varint()];
  const [heartbeatMs, received, key] = [body.varint(), body.varint(), body.block(KEY_BYTES)];
  const joinOnly = body.byte() === 1;
  body.rest();
  return { type: 'hello', lowest, highest, sessionNumber, heartbeatMs, received, key, joinOnly };
}

function decodeWelcome(body: ByteReader): PathFrame {
  const [version, resumed, sessionNumber] = [body.varint(), body.byte() === 1, body.varint()];
  const [received, key] = [body.varint(), body.block(KEY_BYTES)];
  body.rest();
  return { type: 'welcome', version, resumed, sessionNumber, received, key };
}

function toReason(value: number): Reason {
  return Object.values(Reason).find((reason) => reason === value) ?? Reason.other;
}

function toStreamLane(value: number): Lane {
  if (value === Lane.telemetry || value === Lane.bulk) return value;
  throw errors.PROTOCOL({ detail: `streams do not travel on lane ${value}` });
}

function limitedHeader(body: ByteReader): Uint8Array {
  return limited(body.rest(), MAX_STREAM_HEADER_BYTES);
}

function limited(bytes: Uint8Array, limit: number): Uint8Array {
  if (bytes.length > limit) throw errors.PROTOCOL({ detail: `field of ${bytes.length} bytes, ${limit} allowed` });
  return bytes;
}

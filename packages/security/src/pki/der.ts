/** DER (X.690), the subset that certificates need: a writer, and a strict reader that walks one level at a time. */
import { errors } from '../errors.ts';

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** One element. `raw` includes tag and length; both arrays are views of the input. */
export interface DerElement {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly raw: Uint8Array;
}

// ---- writing

export function encode(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  return concat([Uint8Array.of(tag, ...lengthOctets(size)), ...parts]);
}

export const sequence = (...parts: readonly Uint8Array[]): Uint8Array => encode(TAG.sequence, ...parts);
export const set = (...parts: readonly Uint8Array[]): Uint8Array => encode(TAG.set, ...parts);
export const octetString = (bytes: Uint8Array): Uint8Array => encode(TAG.octetString, bytes);
export const utf8String = (text: string): Uint8Array => encode(TAG.utf8String, Buffer.from(text, 'utf8'));
export const boolean = (value: boolean): Uint8Array => encode(TAG.boolean, Uint8Array.of(value ? 0xff : 0));

/** A context-specific tag, `[n]`, around what is already encoded. */
export const explicit = (n: number, ...parts: readonly Uint8Array[]): Uint8Array => encode(0xa0 | n, ...parts);

/** A context-specific tag, `[n] IMPLICIT`, in place of a primitive's own. */
export const implicit = (n: number, content: Uint8Array): Uint8Array => encode(0x80 | n, content);

/** A non-negative integer from its big-endian bytes. */
export function integer(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const minimal = bytes.subarray(start);
  const needsSign = minimal.length === 0 || ((minimal[0] ?? 0) & 0x80) !== 0;
  return needsSign ? encode(TAG.integer, Uint8Array.of(0), minimal) : encode(TAG.integer, minimal);
}

export function bitString(bytes: Uint8Array, unusedBits = 0): Uint8Array {
  return encode(TAG.bitString, Uint8Array.of(unusedBits), bytes);
}

export function oid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return encode(TAG.oid, Uint8Array.from([first * 40 + second, ...rest].flatMap(base128)));
}

/** RFC 5280 §4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050. */
export function time(epochMs: number): Uint8Array {
  const digits = new Date(epochMs).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  const isShort = digits >= '1950' && digits < '2050';
  return isShort
    ? encode(TAG.utcTime, Buffer.from(`${digits.slice(2)}Z`, 'latin1'))
    : encode(TAG.generalizedTime, Buffer.from(`${digits}Z`, 'latin1'));
}

// ---- reading

/** Reads exactly one element; bytes after it are an error. */
export function readElement(bytes: Uint8Array): DerElement {
  const element = elementAt(bytes, 0);
  if (element.raw.length !== bytes.length) throw invalid('bytes after the end');
  return element;
}

/**
 * The elements inside a constructed one.
 * Invariant: the reader never recurses and never allocates from a length, so depth and size of hostile input cost nothing.
 */
export function readChildren(parent: DerElement, limit = 256): DerElement[] {
  const children: DerElement[] = [];
  for (let at = 0; at < parent.content.length; ) {
    if (children.length === limit) throw invalid('too many elements');
    const child = elementAt(parent.content, at);
    children.push(child);
    at += child.raw.length;
  }
  return children;
}

/** The element if it has this tag; an error that names `what` otherwise, also when there is none. */
export function expectTag(element: DerElement | undefined, tag: number, what: string): DerElement {
  if (element?.tag !== tag) throw invalid(what);
  return element;
}

export function readOid(element: DerElement): string {
  const arcs: number[] = [];
  let value = 0;
  for (const byte of element.content) {
    value = value * 128 + (byte & 0x7f);
    if (value > Number.MAX_SAFE_INTEGER) throw invalid('object identifier arc');
    if (byte & 0x80) continue;
    arcs.push(value);
    value = 0;
  }
  const [first = 0, ...rest] = arcs;
  const root = Math.min(2, Math.floor(first / 40));
  return [root, first - root * 40, ...rest].join('.');
}

/** The bytes of a BIT STRING that fills whole bytes, as keys and signatures do. */
export function readBitString(element: DerElement): Uint8Array {
  if (element.content[0] !== 0) throw invalid('bit string with unused bits');
  return element.content.subarray(1);
}

export function readString(element: DerElement): string {
  switch (element.tag) {
    case TAG.utf8String:
      return decodeUtf8(element.content);
    case TAG.printableString:
    case TAG.ia5String:
      return decodeAscii(element.content);
    default:
      throw invalid('string type');
  }
}

export function decodeAscii(bytes: Uint8Array): string {
  if (bytes.some((byte) => byte > 0x7e || byte < 0x20)) throw invalid('characters outside printable ASCII');
  return Buffer.from(bytes).toString('latin1');
}

export function readTime(element: DerElement): number {
  const text = decodeAscii(element.content);
  const match = TIME_PATTERN.exec(element.tag === TAG.utcTime ? withCentury(text) : text);
  if (!match) throw invalid('time');
  const [, year, month, day, hour, minute, second] = match.map(Number);
  return Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second);
}

const TIME_PATTERN = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const utf8 = new TextDecoder('utf-8', { fatal: true });

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw errors.DER_INVALID({ what: 'UTF-8 string' }, { cause });
  }
}

function withCentury(text: string): string {
  return `${text.slice(0, 2) >= '50' ? '19' : '20'}${text}`;
}

function elementAt(bytes: Uint8Array, at: number): DerElement {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined) throw invalid('truncated header');
  if ((tag & 0x1f) === 0x1f) throw invalid('tag in more than one byte');
  const octets = first < 0x80 ? 0 : first & 0x7f;
  if (first === 0x80 || octets > 4) throw invalid('length form');
  let size = first;
  if (octets > 0) {
    size = 0;
    for (let i = 0; i < octets; i++) size = size * 256 + (bytes[at + 2 + i] ?? 0);
    if (size < 0x80 || size < 256 ** (octets - 1)) throw invalid('length is not minimal');
  }
  const start = at + 2 + octets;
  if (start + size > bytes.length) throw invalid('length beyond the end');
  return { tag, content: bytes.subarray(start, start + size), raw: bytes.subarray(at, start + size) };
}

function lengthOctets(size: number): number[] {
  if (size < 0x80) return [size];
  const octets: number[] = [];
  for (let rest = size; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest & 0xff);
  return [0x80 | octets.length, ...octets];
}

function base128(value: number): number[] {
  const groups = [value & 0x7f];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128))
    groups.unshift((rest & 0x7f) | 0x80);
  return groups;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function invalid(what: string): Error {
  return errors.DER_INVALID({ what });
}

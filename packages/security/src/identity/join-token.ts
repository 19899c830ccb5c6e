/** The join token: what an operator pastes at the edge. One line, safe in URLs and shells; this file is its only reader. */
import { createHash } from 'node:crypto';
import { newNameSuffix, type RandomBytes, secureRandom } from '@skerry/base';
import { errors } from '../errors.ts';
import { isNodeName } from './node-profile.ts';

export interface JoinToken {
  /** `HOST:PORT` of the cloud's link listeners, best first. */
  readonly addresses: readonly string[];
  /** `sha256:…` of the cloud's CA certificate. */
  readonly caHash: string;
  readonly id: string;
  readonly secret: string;
  /** A node's name, or a pattern with `*`. */
  readonly node: string;
}

const MAX_TOKEN_TEXT = 4096;

const PREFIX = 'skerry1.';
const SECRET_BYTES = 32;
const ID_LENGTH = 12;
const MAX_ADDRESSES = 16;

const ID = /^[a-z0-9]{4,63}$/;
const SECRET = /^[A-Za-z0-9_-]{43}$/;
const CA_HASH = /^sha256:[0-9a-f]{64}$/;
const ADDRESS = /^(?:\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):[0-9]{1,5}$/;
const PATTERN = /^[a-z0-9*](?:[-a-z0-9.*]{0,251}[a-z0-9*])?$/;

export function newTokenSecret(random: RandomBytes = secureRandom): { readonly id: string; readonly secret: string } {
  return { id: newNameSuffix(ID_LENGTH, random), secret: Buffer.from(random(SECRET_BYTES)).toString('base64url') };
}

/** What the cloud keeps of the secret. It has 256 random bits, so one round is enough. */
export function hashSecret(secret: string): string {
  return `sha256:${createHash('sha256').update('skerry join token 1\n').update(secret).digest('hex')}`;
}

export function formatJoinToken({ addresses, caHash, id, secret, node }: JoinToken): string {
  const body = JSON.stringify({ a: addresses, c: caHash, i: id, s: secret, n: node });
  return PREFIX + Buffer.from(body, 'utf8').toString('base64url');
}

/** Throws TOKEN_MALFORMED, never naming the secret. */
export function parseJoinToken(text: string): JoinToken {
  const trimmed = text.trim();
  if (trimmed.length > MAX_TOKEN_TEXT) throw malformed('too long');
  if (!trimmed.startsWith(PREFIX)) throw malformed(`it must begin with ${PREFIX}`);
  const { a, c, i, s, n } = decode(trimmed.slice(PREFIX.length));
  if (!Array.isArray(a) || a.length === 0 || a.length > MAX_ADDRESSES || !a.every((item) => matches(item, ADDRESS))) {
    throw malformed('addresses');
  }
  if (!matches(c, CA_HASH)) throw malformed('hash of the authority');
  if (!matches(i, ID) || !matches(s, SECRET)) throw malformed('identifier or secret');
  if (!matches(n, PATTERN)) throw malformed('node name');
  return { addresses: a as string[], caHash: c, id: i, secret: s, node: n };
}

/** True for a name with `*` in it. */
export function isPattern(node: string): boolean {
  return node.includes('*');
}

/** `*` stands for any run of characters. Linear in the name's length for each star: a pattern cannot be made slow. */
export function matchesNode(pattern: string, node: string): boolean {
  if (!isNodeName(node)) return false;
  const [head = '', ...rest] = pattern.split('*');
  const tail = rest.pop();
  if (tail === undefined) return node === pattern;
  if (!node.startsWith(head) || !node.endsWith(tail) || node.length < head.length + tail.length) return false;
  let at = head.length;
  const end = node.length - tail.length;
  for (const piece of rest) {
    const found = node.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}

function decode(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(body, 'base64url').toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // The parser's message would quote the token.
    throw malformed('not readable');
  }
  throw malformed('not an object');
}

function matches(value: unknown, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value);
}

function malformed(reason: string): Error {
  return errors.TOKEN_MALFORMED({ reason });
}

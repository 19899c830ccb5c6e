/** The chain: each line holds the hash of the line before it, and a signed head says where the chain begins and ends. Pure. */
import { createHash } from 'node:crypto';
import type { AuditEvent } from '@skerry/api';

/** A place between two lines: the number of the next line, and the SHA-256 of the one before; of the first line, zeros. */
export interface ChainPoint {
  readonly seq: number;
  readonly prev: string;
}

/** What anchors the chain: without it, cutting off either end would leave a chain that looks whole. */
export interface ChainHead {
  /** Where the oldest file that is kept begins. */
  readonly first: ChainPoint;
  /** Where the next line will go. */
  readonly next: ChainPoint;
}

/** Signs and checks heads; the log's owner holds the key, the verifier only what it needs to check. */
export interface HeadSigner {
  sign(bytes: Uint8Array): Uint8Array;
  verify(bytes: Uint8Array, signature: Uint8Array): boolean;
}

export const START: ChainPoint = { seq: 1, prev: '0'.repeat(64) };

/** The text of a line, without its end. */
export function formatLine(event: AuditEvent, point: ChainPoint): string {
  return JSON.stringify({ seq: point.seq, prev: point.prev, ...event });
}

/** Where the line after `line` goes. */
export function pointAfter(point: ChainPoint, line: string): ChainPoint {
  return { seq: point.seq + 1, prev: createHash('sha256').update(line).digest('hex') };
}

/** Reads the two facts of the chain in a line; nothing when the line is not one of ours. */
export function readPoint(line: string): ChainPoint | undefined {
  try {
    const { seq, prev } = JSON.parse(line) as { seq?: unknown; prev?: unknown };
    return typeof seq === 'number' && typeof prev === 'string' ? { seq, prev } : undefined;
  } catch {
    return undefined;
  }
}

export function formatHead(head: ChainHead, signer: HeadSigner): string {
  const signature = Buffer.from(signer.sign(headBytes(head))).toString('base64');
  return `${JSON.stringify({ ...head, signature })}\n`;
}

/** The head if its signature is right; nothing otherwise. */
export function readHead(text: string, signer: Pick<HeadSigner, 'verify'>): ChainHead | undefined {
  try {
    const { first, next, signature } = JSON.parse(text) as ChainHead & { signature: string };
    const head: ChainHead = { first: { ...first }, next: { ...next } };
    return signer.verify(headBytes(head), Buffer.from(signature, 'base64')) ? head : undefined;
  } catch {
    return undefined;
  }
}

function headBytes({ first, next }: ChainHead): Uint8Array {
  return Buffer.from(`skerry audit head 1\n${first.seq} ${first.prev}\n${next.seq} ${next.prev}`, 'utf8');
}

/** The messages of the enrolment routes, read from JSON that anyone may have sent. */
import { createHash } from 'node:crypto';
import { isSignedTime, type SignedTime } from './signed-time.ts';

/** `POST /enroll/v1/node` */
export interface EnrolRequest {
  readonly token: { readonly id: string; readonly secret: string };
  readonly node: string;
  /** PEM. */
  readonly csr: string;
}

/** `POST /enroll/v1/renew` */
export interface RenewRequest {
  /** PEM of the certificate that is, or was, the node's. */
  readonly certificate: string;
  /** PEM of a request for the new key. */
  readonly csr: string;
  /** As `GET /enroll/v1/time` answered it. */
  readonly time: SignedTime;
  /** Over `renewalBytes`, with the old certificate's key; base64url. */
  readonly signature: string;
}

export const ROUTE = {
  ca: '/enroll/v1/ca',
  time: '/enroll/v1/time',
  enrol: '/enroll/v1/node',
  renew: '/enroll/v1/renew',
} as const;

/** The largest body of any route. */
export const MAX_ENROLMENT_BODY = 64 * 1024;

/** What the holder of the old key signs: the challenge and the request, so that neither can be swapped. */
export function renewalBytes(time: SignedTime, csr: string): Uint8Array {
  const request = createHash('sha256').update(csr).digest('hex');
  return Buffer.from(`skerry renewal 1\n${time.time}\n${time.nonce}\n${time.signature}\n${request}`, 'utf8');
}

export function readEnrolRequest(body: Uint8Array): EnrolRequest | undefined {
  const value = readObject(body);
  const token = asObject(value?.token);
  if (!value || !token || !isText(token.id) || !isText(token.secret) || !isText(value.node) || !isText(value.csr))
    return undefined;
  return { token: { id: token.id, secret: token.secret }, node: value.node, csr: value.csr };
}

export function readRenewRequest(body: Uint8Array): RenewRequest | undefined {
  const value = readObject(body);
  if (!value || !isText(value.certificate) || !isText(value.csr) || !isText(value.signature)) return undefined;
  if (!isSignedTime(value.time)) return undefined;
  return { certificate: value.certificate, csr: value.csr, time: value.time, signature: value.signature };
}

function readObject(body: Uint8Array): Record<string, unknown> | undefined {
  try {
    return asObject(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)));
  } catch {
    return undefined;
  }
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Record<string, unknown>) : undefined;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

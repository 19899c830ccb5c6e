/** The cloud's side of joining and renewing: who gets a certificate, and for which name. No sockets; `listener.ts` has them. */
import { createHash, randomBytes, timingSafeEqual, verify } from 'node:crypto';
import type { AuditLog } from '@skerry/api';
import type { Clock, RandomBytes } from '@skerry/base';
import {
  type Authority,
  type Certificate,
  type CertificateRequest,
  certificateFromPem,
  certificateToPem,
  DAY_MS,
  issue,
  parseCsr,
  publicKeyOf,
  refusalOf,
} from '../pki/index.ts';
import { nodeUserName } from '../policy/node-name.ts';
import { type EnrolRequest, type RenewRequest, renewalBytes } from './enrolment-messages.ts';
import { BAD_REQUEST, type EnrolmentReply, forbidden, TOO_MANY, UNAUTHORIZED } from './enrolment-replies.ts';
import { hashSecret, matchesNode } from './join-token.ts';
import type { JoinTokenRecord, JoinTokenStore } from './join-token-record.ts';
import { isNodeName, NODE_CERTIFICATE_LIFE_MS, nodeOfCertificate, nodeProfile, spiffeId } from './node-profile.ts';
import { createRateLimiter, type RateLimit } from './rate-limiter.ts';
import type { Revocations } from './revocations.ts';
import { isNonce, readSignedTime, SIGNED_TIME_LIFE_MS, signTime } from './signed-time.ts';

export interface EnrolmentOptions {
  readonly authority: Authority;
  readonly tokens: JoinTokenStore;
  readonly revocations: Revocations;
  readonly clock: Clock;
  readonly audit?: AuditLog;
  readonly random?: RandomBytes;
  readonly certificateLifeMs?: number;
  /** How long after its end a certificate may still renew itself. */
  readonly rejoinWindowMs?: number;
  /** Told of a node that joins with a token, before it gets its certificate: what was known of its sessions is void. */
  readonly onJoined?: (node: string) => Promise<void> | void;
  /** Told of every certificate, before the node gets it. */
  readonly onIssued?: (node: string, certificate: Certificate) => Promise<void> | void;
}

export interface Enrolment {
  enrol(request: EnrolRequest, peer: string): Promise<EnrolmentReply>;
  renew(request: RenewRequest, peer: string): Promise<EnrolmentReply>;
  time(nonce: string, peer: string): EnrolmentReply;
}

export const DEFAULT_REJOIN_WINDOW_MS = 90 * DAY_MS;

/** Failed attempts of one address. A secret of 256 bits is not guessed; this bounds the work, and a site's honest nodes share the address. */
const FAILURES: RateLimit = { burst: 200, perSecond: 2, maxKeys: 10_000 };
/** Certificates of one node: a loop of restarts, then one every ten minutes. */
const ISSUED: RateLimit = { burst: 12, perSecond: 1 / 600, maxKeys: 100_000 };
/** Signatures cost a third of a millisecond; a whole site may sit behind one address. */
const TIMES: RateLimit = { burst: 200, perSecond: 50, maxKeys: 10_000 };

export function createEnrolment(options: EnrolmentOptions): Enrolment {
  const { clock } = options;
  const limits = {
    failures: createRateLimiter(clock, FAILURES),
    issued: createRateLimiter(clock, ISSUED),
    times: createRateLimiter(clock, TIMES),
  };
  const guarded = async (what: Action, peer: string, decide: () => Promise<Outcome>): Promise<EnrolmentReply> => {
    const outcome = limits.failures.hasRoom(peer) ? await decide() : { reply: TOO_MANY, why: 'too many failures' };
    if (outcome.reply.status === 401 || outcome.reply.status === 403) limits.failures.take(peer);
    record(options, what, peer, outcome);
    return outcome.reply;
  };
  return {
    enrol: (request, peer) => guarded('enrol', peer, () => decideEnrol(options, limits.issued, request)),
    renew: (request, peer) => guarded('renew', peer, () => decideRenew(options, limits.issued, request)),
    time: (nonce, peer) => {
      if (!isNonce(nonce)) return BAD_REQUEST;
      if (!limits.times.take(peer)) return TOO_MANY;
      return { status: 200, body: signTime(options.authority.key, nonce, clock.now()) };
    },
  };
}

type Action = 'enrol' | 'renew';

interface Outcome {
  readonly reply: EnrolmentReply;
  readonly node?: string;
  readonly why?: string;
}

type Issued = ReturnType<typeof createRateLimiter>;

/**
 * Every refusal of a token costs the same look-up, the same hash and the same comparison, and has the same body: what was wrong
 * is written to the audit log only.
 */
async function decideEnrol(options: EnrolmentOptions, issued: Issued, request: EnrolRequest): Promise<Outcome> {
  const { node, csr, token } = request;
  const parsed = parsedOrNothing(() => parseCsr(csr));
  if (!parsed || !isNodeName(node)) return { reply: BAD_REQUEST, why: 'request cannot be read' };
  const stored = await options.tokens.get(token.id);
  const why = tokenRefusal(stored?.record, request, options.clock.now());
  if (why !== undefined || !stored) return { reply: UNAUTHORIZED, node, why: why ?? 'no such token' };
  if (asksForAnother(parsed, node))
    return { reply: forbidden('the request names another node'), node, why: 'names of another node' };
  if (!issued.take(node)) return { reply: TOO_MANY, node, why: 'too many certificates' };
  const used: JoinTokenRecord = { ...stored.record, usedBy: node, usedAt: options.clock.now() };
  // The token is spent before the certificate exists: of two at the same instant, the store lets one through.
  const isFirst = await options.tokens.compareAndSet(used, stored.resourceVersion);
  if (!isFirst) return { reply: UNAUTHORIZED, node, why: 'token used at the same instant' };
  await options.onJoined?.(node);
  return { reply: await certify(options, node, parsed), node };
}

const NO_TOKEN: JoinTokenRecord = {
  id: '',
  node: '',
  secretHash: hashSecret(randomBytes(32).toString('base64url')),
  expiresAt: 0,
};

function tokenRefusal(
  found: JoinTokenRecord | undefined,
  { token, node }: EnrolRequest,
  now: number,
): string | undefined {
  const record = found ?? NO_TOKEN;
  const isRight = timingSafeEqual(digest(record.secretHash), digest(hashSecret(token.secret)));
  if (!isRight) return found ? 'wrong secret' : 'no such token';
  if (now >= record.expiresAt) return 'token expired';
  if (record.usedBy !== undefined || record.usedAt !== undefined) return 'token already used';
  return matchesNode(record.node, node) ? undefined : 'token is for another node';
}

async function decideRenew(options: EnrolmentOptions, issued: Issued, request: RenewRequest): Promise<Outcome> {
  const { authority, clock, revocations } = options;
  const parsed = parsedOrNothing(() => ({ csr: parseCsr(request.csr), old: certificateFromPem(request.certificate) }));
  if (!parsed) return { reply: BAD_REQUEST, why: 'request cannot be read' };
  const { csr, old } = parsed;
  const node = nodeOfCertificate(old);
  const now = clock.now();
  const time = readSignedTime(request.time, authority.certificate);
  if (time === undefined || Math.abs(now - time) > SIGNED_TIME_LIFE_MS)
    return { reply: UNAUTHORIZED, why: 'stale challenge' };
  const window = options.rejoinWindowMs ?? DEFAULT_REJOIN_WINDOW_MS;
  const refusal = refusalOf(old, {
    authority: authority.certificate,
    now,
    usage: 'clientAuth',
    expiredGraceMs: window,
  });
  // Whether the certificate is of ours comes first, who holds its key second; only its holder is told more.
  if (node === undefined || (refusal !== undefined && refusal !== 'expired')) {
    return { reply: UNAUTHORIZED, why: `certificate: ${refusal ?? 'not a node’s'}` };
  }
  if (!holdsKey(old, request)) return { reply: UNAUTHORIZED, node, why: 'no proof of its key' };
  if (refusal === 'expired')
    return { reply: forbidden('the certificate expired too long ago; join again'), node, why: 'beyond the window' };
  if (revocations.isRevoked(old)) return { reply: forbidden('the node is revoked'), node, why: 'revoked' };
  if (asksForAnother(csr, node))
    return { reply: forbidden('the request names another node'), node, why: 'names of another node' };
  if (!issued.take(node)) return { reply: TOO_MANY, node, why: 'too many certificates' };
  const reply = await certify(options, node, csr);
  // Revoked while the certificate was written down: it is newer than the mark, and so must never reach the node.
  if (revocations.isRevoked(old)) return { reply: forbidden('the node is revoked'), node, why: 'revoked meanwhile' };
  return { reply, node };
}

function holdsKey(old: Certificate, request: RenewRequest): boolean {
  const signature = Buffer.from(request.signature, 'base64url');
  return verify('sha256', renewalBytes(request.time, request.csr), publicKeyOf(old), signature);
}

/** The request may leave names out; what it does name must be what the server would give. */
function asksForAnother({ subject, names }: CertificateRequest, node: string): boolean {
  const commonNames = ['', node, nodeUserName(node)];
  const isOwn = (name: string) => name === node || name === spiffeId(node);
  return (
    !commonNames.includes(subject.commonName) ||
    subject.organizations.some((organization) => organization !== 'system:nodes') ||
    ![...names.dns, ...names.ips, ...names.uris].every(isOwn)
  );
}

async function certify(options: EnrolmentOptions, node: string, request: CertificateRequest): Promise<EnrolmentReply> {
  const { authority, clock, random, revocations, certificateLifeMs = NODE_CERTIFICATE_LIFE_MS } = options;
  const now = clock.now();
  // A node that joins again in the very millisecond of its revocation gets a certificate that counts as later.
  const context = { now: Math.max(now, revocations.revokedBefore(node) + 1), ...(random && { random }) };
  const certificate = issue(authority, request.publicKeyDer, nodeProfile(node, now, certificateLifeMs), context);
  await options.onIssued?.(node, certificate);
  return { status: 201, body: { node, certificate: certificateToPem(certificate), time: new Date(now).toISOString() } };
}

function record({ audit, clock }: EnrolmentOptions, what: Action, peer: string, { reply, node, why }: Outcome): void {
  audit?.append({
    time: new Date(clock.now()).toISOString(),
    user: node === undefined ? 'system:anonymous' : nodeUserName(node),
    verb: what,
    path: what === 'enrol' ? '/enroll/v1/node' : '/enroll/v1/renew',
    code: reply.status,
    sourceIp: peer,
    ...(why === undefined ? {} : { reason: why }),
  });
}

function parsedOrNothing<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}

function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}

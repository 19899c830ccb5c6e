/** The edge's side: joining with a token, and renewing with the key it has. Pure but for the injected door. */
import { sign } from 'node:crypto';
import { hasCode, type Logger, type RandomBytes, secureRandom } from '@skerry/base';
import { errors } from '../errors.ts';
import {
  type Certificate,
  certificateFromPem,
  createCsr,
  fingerprint,
  issuedAt,
  newPrivateKey,
  privateKeyFromPem,
  privateKeyToPem,
} from '../pki/index.ts';
import { type CloudDoor, type DoorReply, firstAnswer } from './door.ts';
import { ROUTE, renewalBytes } from './enrolment-messages.ts';
import { isPattern, matchesNode, parseJoinToken } from './join-token.ts';
import { checkIdentity, type NodeIdentity } from './node-identity.ts';
import { isSignedTime, readSignedTime, type SignedTime } from './signed-time.ts';

export interface JoinOptions {
  readonly door: CloudDoor;
  readonly token: string;
  /** Needed where the token names a pattern. */
  readonly node?: string;
  /** Override the token's. */
  readonly addresses?: readonly string[];
  readonly log?: Logger;
}

/** Joins the cloud that the token names. Throws CA_HASH_DIFFERS, with the token unsent, when another cloud answers. */
export async function joinCloud(options: JoinOptions): Promise<NodeIdentity> {
  const token = parseJoinToken(options.token);
  const node = chooseName(token.node, options.node);
  const addresses = options.addresses?.length ? options.addresses : token.addresses;
  const key = newPrivateKey();
  const body = JSON.stringify({ token: { id: token.id, secret: token.secret }, node, csr: createCsr(key) });
  const joinAt = async (address: string): Promise<NodeIdentity> => {
    const caPem = await pinnedAuthority(options.door, address, token.caHash);
    const reply = await options.door.request(address, caPem, { method: 'POST', path: ROUTE.enrol, body });
    if (reply.status !== 201) {
      throw errors.ENROLMENT_REFUSED({ node, status: reply.status, reason: refusalIn(reply, node) });
    }
    const identity = {
      node,
      addresses,
      caPem,
      certificatePem: certificateIn(reply),
      keyPem: privateKeyToPem(key),
      tokenId: token.id,
    };
    checkIdentity(identity);
    return identity;
  };
  const identity = await firstAnswer(addresses, joinAt, isFinal);
  options.log?.info({ node, addresses }, 'joined the cloud');
  return identity;
}

export interface RenewOptions {
  readonly door: CloudDoor;
  readonly identity: NodeIdentity;
  readonly random?: RandomBytes;
}

export interface Renewal {
  readonly identity: NodeIdentity;
  /** The cloud's time, signed by its CA, in milliseconds; compare with the local clock to know how wrong that is. */
  readonly cloudTime: number;
}

/** A new key and certificate, by proof of the old key. Works with an expired certificate and whatever the clock says. */
export async function renewIdentity({ door, identity, random = secureRandom }: RenewOptions): Promise<Renewal> {
  const { node, caPem, certificatePem } = identity;
  const key = newPrivateKey();
  const csr = createCsr(key);
  const renewAt = async (address: string): Promise<Renewal> => {
    const { signed, time } = await askTime(door, address, caPem, Buffer.from(random(24)).toString('base64url'));
    const signature = sign('sha256', renewalBytes(signed, csr), privateKeyFromPem(identity.keyPem)).toString(
      'base64url',
    );
    const body = JSON.stringify({ certificate: certificatePem, csr, time: signed, signature });
    const reply = await door.request(address, caPem, { method: 'POST', path: ROUTE.renew, body });
    if (reply.status !== 201) throw errors.RENEWAL_REFUSED({ node, status: reply.status, reason: messageIn(reply) });
    const renewed = { ...identity, certificatePem: certificateIn(reply), keyPem: privateKeyToPem(key) };
    checkIdentity(renewed);
    return { identity: renewed, cloudTime: time };
  };
  return firstAnswer(identity.addresses, renewAt, isFinal);
}

/** Milliseconds until the certificate should be renewed: half its life after its issue, and at once when that is past. */
export function nextRenewal(certificate: Pick<Certificate, 'serial' | 'notAfter'>, now: number, jitter = 0): number {
  const start = issuedAt(certificate);
  // A clock before the certificate's issue is wrong: only the cloud can tell what time it is.
  if (now < start - MAX_CLOCK_LAG_MS) return 0;
  const halfLife = start + ((certificate.notAfter - start) / 2) * (1 - jitter / 10);
  return Math.max(0, halfLife - now);
}

const MAX_CLOCK_LAG_MS = 60 * 60 * 1000;

/** First contact: the CA comes unverified, its hash decides, and only then is anything of ours sent. */
async function pinnedAuthority(door: CloudDoor, address: string, expected: string): Promise<string> {
  const caPem = await door.fetchAuthority(address);
  const certificate = certificateFromPem(caPem);
  const actual = fingerprint(certificate);
  if (actual !== expected) throw errors.CA_HASH_DIFFERS({ address, actual, expected });
  return caPem;
}

function chooseName(inToken: string, given: string | undefined): string {
  if (given === undefined) {
    if (isPattern(inToken)) throw errors.TOKEN_MALFORMED({ reason: `it is for ${inToken}: the node needs a name` });
    return inToken;
  }
  if (!matchesNode(inToken, given)) throw errors.TOKEN_FOR_ANOTHER({ wanted: inToken, node: given });
  return given;
}

async function askTime(
  door: CloudDoor,
  address: string,
  caPem: string,
  nonce: string,
): Promise<{ signed: SignedTime; time: number }> {
  const reply = await door.request(address, caPem, { method: 'GET', path: `${ROUTE.time}?nonce=${nonce}` });
  const signed: unknown = reply.status === 200 ? jsonIn(reply, ROUTE.time) : undefined;
  const time =
    isSignedTime(signed) && signed.nonce === nonce ? readSignedTime(signed, certificateFromPem(caPem)) : undefined;
  if (time === undefined)
    throw errors.REPLY_INVALID({ request: ROUTE.time, reason: 'not signed by the cloud, or for another asker' });
  return { signed: signed as SignedTime, time };
}

/** A refusal by the right cloud, or a wrong cloud: the next address would not change it. */
function isFinal(error: unknown): boolean {
  return ['CA_HASH_DIFFERS', 'ENROLMENT_REFUSED', 'RENEWAL_REFUSED'].some((code) => hasCode(error, `SECURITY_${code}`));
}

function certificateIn(reply: DoorReply): string {
  const { certificate } = jsonIn(reply, 'certificate') as { certificate?: unknown };
  if (typeof certificate !== 'string') throw errors.REPLY_INVALID({ request: 'certificate', reason: 'it holds none' });
  return certificate;
}

/** The cloud tells nobody what is wrong with a token; all it can be is soon listed. */
function refusalIn(reply: DoorReply, node: string): string {
  if (reply.status !== 401) return messageIn(reply);
  return `the token was used before, has expired or was deleted; make a new one with 'skerry token create --node ${node}'`;
}

function messageIn(reply: DoorReply): string {
  try {
    const { message } = JSON.parse(reply.body) as { message?: unknown };
    return String(message);
  } catch {
    return 'no reason given';
  }
}

function jsonIn(reply: DoorReply, request: string): object {
  try {
    const value: unknown = JSON.parse(reply.body);
    if (typeof value === 'object' && value !== null) return value;
  } catch (cause) {
    throw errors.REPLY_INVALID({ request, reason: 'not JSON' }, { cause });
  }
  throw errors.REPLY_INVALID({ request, reason: 'not an object' });
}

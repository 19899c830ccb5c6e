/** The claims of a service account token (Kubernetes, bound tokens): built here, and read back with every type checked. */
import type { UserInfo } from '@skerry/api';

/** An object that a token lives and dies with, or where it was made. */
export interface NameUid {
  readonly name: string;
  readonly uid: string;
}

/** What a token says of its holder. */
export interface ServiceAccountClaims {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly namespace: string;
  readonly serviceAccount: NameUid;
  readonly pod?: NameUid;
  readonly secret?: NameUid;
  readonly node?: { readonly name: string; readonly uid?: string };
  readonly id: string;
  /** Seconds since the epoch. */
  readonly issuedAt: number;
  readonly notBefore: number;
  readonly expiresAt: number;
  /** From then on an application that still uses the token has failed to read its newer one. */
  readonly warnAfter?: number;
}

export const SERVICE_ACCOUNT_PREFIX = 'system:serviceaccount:';

const ALL_SERVICE_ACCOUNTS = 'system:serviceaccounts';
const EXTRA = 'authentication.kubernetes.io';

export function toPayload(claims: ServiceAccountClaims): object {
  const { namespace, serviceAccount, pod, secret, node, warnAfter } = claims;
  return {
    aud: claims.audiences,
    exp: claims.expiresAt,
    iat: claims.issuedAt,
    iss: claims.issuer,
    jti: claims.id,
    'kubernetes.io': { namespace, node, pod, secret, serviceaccount: serviceAccount, warnafter: warnAfter },
    nbf: claims.notBefore,
    sub: `${SERVICE_ACCOUNT_PREFIX}${namespace}:${serviceAccount.name}`,
  };
}

/** Nothing when any claim is missing, has the wrong type, or contradicts another. */
export function fromPayload(payload: Readonly<Record<string, unknown>>): ServiceAccountClaims | undefined {
  const { aud, exp, iat, iss, jti, nbf, sub } = payload;
  const bound = payload['kubernetes.io'];
  if (!isRecord(bound) || !isText(iss) || !isText(jti) || !isTime(exp) || !isTime(iat) || !isTime(nbf))
    return undefined;
  const audiences = isText(aud) ? [aud] : aud;
  if (!Array.isArray(audiences) || !audiences.every(isText)) return undefined;
  const { namespace, serviceaccount, warnafter } = bound;
  if (!isText(namespace) || !isNameUid(serviceaccount)) return undefined;
  if (sub !== `${SERVICE_ACCOUNT_PREFIX}${namespace}:${serviceaccount.name}`) return undefined;
  const references = readReferences(bound);
  if (!references) return undefined;
  return {
    ...references,
    issuer: iss,
    audiences,
    namespace,
    serviceAccount: serviceaccount,
    id: jti,
    issuedAt: iat,
    notBefore: nbf,
    expiresAt: exp,
    ...(isTime(warnafter) ? { warnAfter: warnafter } : {}),
  };
}

/** The user that a token stands for, in the words of authentication.k8s.io. */
export function userOf(claims: ServiceAccountClaims): UserInfo {
  const { namespace, serviceAccount, pod, node } = claims;
  const extra: Record<string, readonly string[]> = { [`${EXTRA}/credential-id`]: [`JTI=${claims.id}`] };
  if (node) extra[`${EXTRA}/node-name`] = [node.name];
  if (node?.uid) extra[`${EXTRA}/node-uid`] = [node.uid];
  if (pod) extra[`${EXTRA}/pod-name`] = [pod.name];
  if (pod) extra[`${EXTRA}/pod-uid`] = [pod.uid];
  return {
    username: `${SERVICE_ACCOUNT_PREFIX}${namespace}:${serviceAccount.name}`,
    uid: serviceAccount.uid,
    groups: [ALL_SERVICE_ACCOUNTS, `${ALL_SERVICE_ACCOUNTS}:${namespace}`, 'system:authenticated'],
    extra,
  };
}

type References = Pick<ServiceAccountClaims, 'pod' | 'secret' | 'node'>;

function readReferences({ pod, secret, node }: Record<string, unknown>): References | undefined {
  if (pod !== undefined && !isNameUid(pod)) return undefined;
  if (secret !== undefined && !isNameUid(secret)) return undefined;
  if (node !== undefined && !isNodeReference(node)) return undefined;
  return { ...(pod && { pod }), ...(secret && { secret }), ...(node && { node }) };
}

function isNodeReference(value: unknown): value is { name: string; uid?: string } {
  return isRecord(value) && isText(value.name) && (value.uid === undefined || isText(value.uid));
}

function isNameUid(value: unknown): value is NameUid {
  return isRecord(value) && isText(value.name) && isText(value.uid);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/**
 * Requests for certificates: those of nodes for their own are approved when RBAC lets their users have them, those that are
 * approved are signed, and old ones go. The key of the authority is behind `CertificateSigner`, not here.
 */
import { type Gvr, isStatus, type KubeObject } from '@skerry/api';
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from '@skerry/api/types';
import { messageOf } from '@skerry/base';
import { type ControllerSpec, keyOf, type Requeue, watching } from '@skerry/kube/controller';
import type { CloudContext } from '../context.ts';
import { createdAt, parseTime } from '../timestamps.ts';
import { deleteIfThere, refOf } from '../writes.ts';
import { isOurs, KUBELET_CLIENT_SIGNER, type RequestedNames, refusalOf } from './recognised.ts';

export const REQUESTS: Gvr = { group: 'certificates.k8s.io', version: 'v1', resource: 'certificatesigningrequests' };
const ACCESS_REVIEWS: Gvr = { group: 'authorization.k8s.io', version: 'v1', resource: 'subjectaccessreviews' };

const HOUR_MS = 3_600_000;
/** A request that was decided is of no more use after this, for its certificate was fetched. */
const KEPT_DECIDED_MS = HOUR_MS;
const KEPT_PENDING_MS = 24 * HOUR_MS;

export interface SigningOrder {
  /** PEM. */
  readonly request: string;
  readonly signerName: string;
  readonly usages: readonly string[];
  readonly expirationSeconds?: number;
}

/** The authority, as far as it is needed here. */
export interface CertificateSigner {
  /** Throws when the request cannot be read, or its sender has not the key. */
  readonly read: (request: string) => RequestedNames;
  /** The certificate, as PEM. */
  readonly sign: (order: SigningOrder) => string;
}

export function certificateSigningController(context: CloudContext, signer: CertificateSigner): ControllerSpec {
  const requests = context.informers.informer<CertificateSigningRequest>({ gvr: REQUESTS });
  return {
    name: 'certificate-signing',
    watches: [watching(requests, ({ object }) => [keyOf(object)])],
    reconcile: async (key) => {
      const request = requests.cache.get(key);
      if (request === undefined) return undefined;
      const left = keptUntil(request) - context.clock.now();
      if (left <= 0) {
        await deleteIfThere(context.client, refOf(REQUESTS, request));
        return undefined;
      }
      await decide(context, signer, request);
      return { afterMs: left } satisfies Requeue;
    },
  };
}

/** When it goes, in milliseconds. */
function keptUntil(request: CertificateSigningRequest): number {
  const decided = ['Approved', 'Denied', 'Failed'].map((type) => conditionOf(request, type)).find(Boolean);
  const isPending = decided === undefined || (decided.type === 'Approved' && certificateOf(request) === '');
  if (isPending) return createdAt(request) + KEPT_PENDING_MS;
  return (parseTime(decided.lastUpdateTime) ?? createdAt(request)) + KEPT_DECIDED_MS;
}

async function decide(
  context: CloudContext,
  signer: CertificateSigner,
  request: CertificateSigningRequest,
): Promise<void> {
  const { signerName, request: text } = request.spec;
  const isOver = conditionOf(request, 'Denied') ?? conditionOf(request, 'Failed');
  if (!isOurs(signerName) || isOver !== undefined || certificateOf(request) !== '') return;
  const refusal = judged(signer, request);
  if (conditionOf(request, 'Approved') === undefined) {
    if (signerName === KUBELET_CLIENT_SIGNER && refusal === undefined) await approve(context, signer, request);
    return;
  }
  if (refusal !== undefined) {
    await write(context, 'status', withCondition(request, 'Failed', 'SignerValidationFailure', refusal));
    return;
  }
  const { usages = [], expirationSeconds } = request.spec;
  const pem = signer.sign({
    request: fromBase64(text),
    signerName,
    usages,
    ...(expirationSeconds === undefined ? {} : { expirationSeconds }),
  });
  const certificate = Buffer.from(pem).toString('base64');
  await write(context, 'status', { ...request, status: { ...request.status, certificate } });
}

function judged(signer: CertificateSigner, { spec }: CertificateSigningRequest): string | undefined {
  const { signerName, usages = [], request } = spec;
  try {
    return refusalOf({ signerName, usages, names: signer.read(fromBase64(request)) });
  } catch (error) {
    return messageOf(error);
  }
}

/** A node's own next certificate, and the first one of a node that is to be: two rights. */
async function approve(
  context: CloudContext,
  signer: CertificateSigner,
  request: CertificateSigningRequest,
): Promise<void> {
  const isOwn = signer.read(fromBase64(request.spec.request)).commonName === request.spec.username;
  const ways = isOwn ? (['selfnodeclient', 'nodeclient'] as const) : (['nodeclient'] as const);
  for (const way of ways) {
    if (!(await isAllowed(context, request, way))) continue;
    const what = way === 'selfnodeclient' ? 'self kubelet client certificate' : 'kubelet client certificate';
    const message = `Auto approving ${what} after SubjectAccessReview.`;
    await write(context, 'approval', withCondition(request, 'Approved', 'AutoApproved', message));
    return;
  }
}

async function isAllowed(
  { client }: CloudContext,
  { spec }: CertificateSigningRequest,
  subresource: string,
): Promise<boolean> {
  const { username: user = '', uid, groups, extra } = spec;
  const resourceAttributes = { group: REQUESTS.group, resource: REQUESTS.resource, subresource, verb: 'create' };
  const review: KubeObject = await client.create<KubeObject>(ACCESS_REVIEWS, {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    metadata: {},
    spec: { user, uid, groups, extra, resourceAttributes },
  });
  return (review['status'] as { readonly allowed?: boolean } | undefined)?.allowed === true;
}

/** Who changed it meanwhile brings it here again. */
async function write(context: CloudContext, subresource: string, request: CertificateSigningRequest): Promise<void> {
  try {
    await context.client.update(REQUESTS, request, { subresource });
  } catch (error) {
    if (!isStatus(error, 'NotFound', 'Conflict')) throw error;
  }
}

function withCondition(
  request: CertificateSigningRequest,
  type: string,
  reason: string,
  message: string,
): CertificateSigningRequest {
  const condition = { type, status: 'True', reason, message };
  return { ...request, status: { ...request.status, conditions: [...(request.status?.conditions ?? []), condition] } };
}

function conditionOf(
  { status }: CertificateSigningRequest,
  wanted: string,
): CertificateSigningRequestCondition | undefined {
  return status?.conditions?.find(({ type }) => type === wanted);
}

function certificateOf({ status }: CertificateSigningRequest): string {
  return status?.certificate ?? '';
}

function fromBase64(text: string): string {
  return Buffer.from(text, 'base64').toString('latin1');
}

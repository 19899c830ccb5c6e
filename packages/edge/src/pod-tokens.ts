/** Tokens of the pods' accounts: the cloud's while there is a link, the node's own while there is none. */
import { type KubeObject, StatusError } from '@skerry/api';
import type { Clock, Logger } from '@skerry/base';
import { messageOf } from '@skerry/base';
import { formatKey, type Store } from '@skerry/kube/store';
import type { EdgeIssuer } from '@skerry/security/tokens';
import type { IssuedToken, TokenRequest } from '@skerry/workloads/edge';
import type { AskCloud } from './cloud-requests.ts';

export interface PodTokensOptions {
  readonly node: string;
  readonly store: Store;
  readonly issuer: EdgeIssuer;
  readonly ask: AskCloud;
  readonly isConnected: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

const REQUEST_TIMEOUT_MS = 5_000;

export function podTokens(options: PodTokensOptions): (request: TokenRequest) => Promise<IssuedToken> {
  return async (request) => {
    if (options.isConnected()) {
      try {
        return await fromCloud(options, request);
      } catch (error) {
        options.log.warn(
          { pod: request.pod.name, error: messageOf(error) },
          'no token from the cloud; the node makes one',
        );
      }
    }
    return fromNode(options, request);
  };
}

async function fromCloud({ node, ask }: PodTokensOptions, request: TokenRequest): Promise<IssuedToken> {
  const { namespace, serviceAccount, audiences, expirationSeconds, pod } = request;
  const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: pod.name, uid: pod.uid };
  const response = await ask({
    method: 'POST',
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`,
    query: new URLSearchParams(),
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: Buffer.from(
      JSON.stringify({
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { audiences, expirationSeconds, boundObjectRef },
      }),
    ),
    user: { username: `system:node:${node}`, groups: [] },
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
  const answer = JSON.parse(Buffer.from(response.body as Uint8Array).toString()) as TokenAnswer;
  if (answer.status?.token === undefined)
    throw new StatusError(503, 'ServiceUnavailable', answer.message ?? `it answered ${response.status}`);
  return { token: answer.status.token, expiresAt: Date.parse(answer.status.expirationTimestamp ?? '') };
}

interface TokenAnswer {
  readonly message?: string;
  readonly status?: { readonly token?: string; readonly expirationTimestamp?: string };
}

function fromNode({ node, store, issuer }: PodTokensOptions, request: TokenRequest): IssuedToken {
  const { namespace, serviceAccount: name, audiences, expirationSeconds, pod } = request;
  const stored = store.get(formatKey({ group: '', resource: 'serviceaccounts', namespace, name }));
  if (stored === undefined) throw new StatusError(404, 'NotFound', `serviceaccounts "${name}" not found`);
  const { uid = '' } = (JSON.parse(stored.json) as KubeObject).metadata;
  const issued = issuer.issue({
    namespace,
    serviceAccount: { name, uid },
    audiences,
    expirationSeconds,
    pod,
    node: { name: node },
  });
  return { token: issued.token, expiresAt: Date.parse(issued.expirationTimestamp) };
}

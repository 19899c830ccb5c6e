/** TokenRequest: a token for a service account, bound to an object when asked. */

import type { KubeObject } from '@skerry/api';
import { schemaFor } from '@skerry/api/facts';
import { formatKey } from '../../store/key.ts';
import type { TokenGrant } from '../access-hooks.ts';
import { nodeNameOf } from '../admission/node-restriction.ts';
import { decodeBody } from '../body.ts';
import type { ApiResponse } from '../contract.ts';
import { type Call, type Engine, fault, find, groupResource, nameOf, nowText } from '../engine.ts';
import { isRecord } from '../incoming.ts';
import { toServedObject } from '../object-text.ts';
import { respondJson } from '../respond.ts';
import { shapeAs } from '../shaping.ts';
import { badRequest, conflict, forbidden, invalid, methodNotAllowed, noSuchRoute, notFound } from '../statuses.ts';

const TOKEN_REQUEST = { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' } as const;

const DEFAULT_SECONDS = 3600;
const MIN_SECONDS = 600;
const MAX_SECONDS = 2 ** 32;

/** What TokenRequest may bind a token to. */
const BOUND_KINDS: Readonly<Record<string, { group: string; resource: string; field: 'pod' | 'secret' | 'node' }>> = {
  Pod: { group: '', resource: 'pods', field: 'pod' },
  Secret: { group: '', resource: 'secrets', field: 'secret' },
  Node: { group: '', resource: 'nodes', field: 'node' },
};

interface TokenRequest {
  readonly metadata?: Record<string, unknown>;
  readonly spec?: {
    readonly audiences?: readonly string[];
    readonly expirationSeconds?: number;
    readonly boundObjectRef?: { readonly kind?: string; readonly name?: string; readonly uid?: string };
  };
}

export async function requestToken(engine: Engine, call: Call): Promise<ApiResponse> {
  const { issueToken } = engine.access;
  if (issueToken === undefined) throw noSuchRoute();
  if (call.route.verb !== 'create') throw methodNotAllowed();
  const { value } = decodeBody(call.request, engine.parseYaml);
  if (!isRecord(value)) throw badRequest('the object provided is unrecognized (must be of type TokenRequest)');
  const request: TokenRequest = shapeAs(value, schemaFor(TOKEN_REQUEST), TOKEN_REQUEST);
  const stored = find(engine, call);
  if (stored === undefined) throw notFound(groupResource(call.kind), nameOf(call.route));
  const grant = grantFor(engine, call, toServedObject(stored), request);
  restrictNodeToken(call, grant);
  const status = await issueToken(grant);
  const { name, namespace } = { name: nameOf(call.route), namespace: call.route.namespace };
  const metadata = { name, namespace, creationTimestamp: nowText(engine.clock) };
  const { token, expirationTimestamp, claims } = status;
  const spec = { expirationSeconds: DEFAULT_SECONDS, ...request.spec, audiences: claims.audiences };
  const answer = { kind: 'TokenRequest', apiVersion: 'authentication.k8s.io/v1', metadata, spec };
  return respondJson(201, { ...answer, status: { token, expirationTimestamp } }, call.wanted);
}

/** A node asks only for the accounts of its own pods, and for tokens that end with them. */
function restrictNodeToken({ user, kind, route }: Call, { pod, node }: TokenGrant): void {
  const self = nodeNameOf(user);
  if (self === undefined) return;
  if (pod === undefined) throw forbidden(groupResource(kind), nameOf(route), 'node requested token not bound to a pod');
  if (node?.name !== self) {
    const why = 'node requested token bound to a pod scheduled on a different node';
    throw forbidden(groupResource(kind), nameOf(route), why);
  }
}

function grantFor(engine: Engine, call: Call, account: KubeObject, { spec = {} }: TokenRequest): TokenGrant {
  const name = nameOf(call.route);
  const { audiences, expirationSeconds, boundObjectRef } = spec;
  if (expirationSeconds !== undefined && (expirationSeconds < MIN_SECONDS || expirationSeconds > MAX_SECONDS)) {
    const text = `Invalid value: ${expirationSeconds}: may not specify a duration ${expirationSeconds < MIN_SECONDS ? 'less than 10 minutes' : 'larger than 2^32 seconds'}`;
    throw invalid(TOKEN_REQUEST, name, [fault('FieldValueInvalid', 'spec.expirationSeconds', text)]);
  }
  const namespace = call.route.namespace ?? '';
  return {
    namespace,
    serviceAccount: { name, uid: account.metadata.uid ?? '' },
    ...(audiences === undefined ? {} : { audiences }),
    ...(expirationSeconds === undefined ? {} : { expirationSeconds }),
    ...(boundObjectRef === undefined ? {} : boundTo(engine, namespace, name, boundObjectRef)),
  };
}

function boundTo(
  engine: Engine,
  namespace: string,
  account: string,
  ref: { readonly kind?: string; readonly name?: string; readonly uid?: string },
): Partial<TokenGrant> {
  const bound = BOUND_KINDS[ref.kind ?? ''];
  if (bound === undefined) throw badRequest(`cannot bind token to object of type ${ref.kind}`);
  const { group, resource, field } = bound;
  const name = ref.name ?? '';
  const key = formatKey({ group, resource, namespace: field === 'node' ? '' : namespace, name });
  const stored = name.includes('/') ? undefined : engine.store.get(key);
  if (stored === undefined) throw notFound({ group, resource }, name);
  const object = toServedObject(stored);
  const uid = object.metadata.uid ?? '';
  if (ref.uid !== undefined && ref.uid !== '' && ref.uid !== uid) {
    throw conflict(
      { group, resource },
      name,
      `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  if (field !== 'pod') return { [field]: { name, uid } };
  const spec = (object['spec'] ?? {}) as { serviceAccountName?: string; nodeName?: string };
  if (spec.serviceAccountName !== account) {
    throw badRequest(
      `cannot bind token for serviceaccount "${account}" to pod running with different serviceaccount name.`,
    );
  }
  return { pod: { name, uid }, ...(spec.nodeName === undefined ? {} : { node: nodeOf(engine, spec.nodeName) }) };
}

function nodeOf({ store }: Engine, name: string): { name: string; uid?: string } {
  const stored = store.get(formatKey({ group: '', resource: 'nodes', namespace: '', name }));
  const uid = stored === undefined ? undefined : toServedObject(stored).metadata.uid;
  return { name, ...(uid === undefined ? {} : { uid }) };
}

/** Access reviews: what somebody may do, and who somebody is. Answered, never stored. */
import { type Attributes, formatApiVersion, type KubeObject, type UserInfo } from '@skerry/api';
import type { ApiResponse } from './contract.ts';
import { type Call, type Engine, nowText } from './engine.ts';
import { isRecord, readObject } from './incoming.ts';
import { negotiate } from './negotiate.ts';
import { respondJson } from './respond.ts';
import { badRequest, methodNotAllowed } from './statuses.ts';
import { parseWriteOptions } from './write-options.ts';

type Review = (engine: Engine, call: Call, review: KubeObject) => Promise<object> | object;

const REVIEWS: Readonly<Record<string, Review>> = {
  'authorization.k8s.io/selfsubjectaccessreviews': (engine, call, { spec }) =>
    access(engine, call.user, isRecord(spec) ? spec : {}),
  'authorization.k8s.io/subjectaccessreviews': (engine, _call, { spec }) => subjectAccess(engine, spec),
  'authorization.k8s.io/localsubjectaccessreviews': (engine, call, { spec }) => localAccess(engine, call, spec),
  'authorization.k8s.io/selfsubjectrulesreviews': (engine, call, { spec }) => rules(engine, call, spec),
  'authentication.k8s.io/selfsubjectreviews': (_engine, call) => ({ userInfo: toUserInfo(call.user) }),
  'authentication.k8s.io/tokenreviews': (engine, _call, { spec }) => token(engine, spec),
};

export function isReview(group: string, resource: string): boolean {
  return Object.hasOwn(REVIEWS, `${group}/${resource}`);
}

export async function review(engine: Engine, call: Call): Promise<ApiResponse> {
  const { group, resource } = call.route;
  const answer = REVIEWS[`${group}/${resource}`];
  if (answer === undefined || call.route.verb !== 'create' || call.route.name !== undefined) throw methodNotAllowed();
  const options = parseWriteOptions(call.request, 'CreateOptions');
  // An answer that is stored nowhere has no columns and no metadata to show alone.
  const wanted = negotiate(call.request.headers['accept'], call.request.query, ['object']);
  const object = readObject(engine, call, options.fieldValidation);
  const { spec } = object;
  const status = await answer(engine, call, object);
  const metadata = { creationTimestamp: nowText(engine.clock) };
  const { kind } = call.kind.row.gvk;
  return respondJson(
    201,
    {
      kind,
      apiVersion: formatApiVersion(call.kind.row.gvk),
      metadata,
      ...(spec === undefined ? {} : { spec }),
      status,
    },
    wanted,
  );
}

function access(engine: Engine, user: UserInfo, spec: Record<string, unknown>): object {
  const { allowed, denied, reason } = engine.authorizer.authorize(attributesIn(user, spec));
  return {
    allowed,
    ...(denied === true ? { denied } : {}),
    ...(reason === undefined || reason === '' ? {} : { reason }),
  };
}

function attributesIn(
  user: UserInfo,
  { resourceAttributes, nonResourceAttributes }: Record<string, unknown>,
): Attributes {
  if (isRecord(nonResourceAttributes)) {
    const path = text(nonResourceAttributes['path']);
    return { user, verb: text(nonResourceAttributes['verb']), path };
  }
  if (!isRecord(resourceAttributes)) {
    throw badRequest('exactly one of nonResourceAttributes or resourceAttributes must be specified');
  }
  const { group, version, resource, subresource, namespace, name, verb } = resourceAttributes;
  return {
    user,
    verb: text(verb),
    path: '',
    resource: {
      group: text(group),
      version: text(version) || '*',
      resource: text(resource),
      ...(text(subresource) === '' ? {} : { subresource: text(subresource) }),
      ...(text(namespace) === '' ? {} : { namespace: text(namespace) }),
      ...(text(name) === '' ? {} : { name: text(name) }),
    },
  };
}

function subjectAccess(engine: Engine, spec: unknown): object {
  if (!isRecord(spec)) throw badRequest('spec must be an object');
  return access(engine, userIn({ ...spec, username: spec['user'] }), spec);
}

function localAccess(engine: Engine, call: Call, spec: unknown): object {
  const attributes = isRecord(spec) && isRecord(spec['resourceAttributes']) ? spec['resourceAttributes'] : undefined;
  if (attributes === undefined || text(attributes['namespace']) !== call.route.namespace) {
    throw badRequest('spec.resourceAttributes.namespace must match metadata.namespace');
  }
  return subjectAccess(engine, spec);
}

function rules(engine: Engine, call: Call, spec: unknown): object {
  const namespace = isRecord(spec) ? text(spec['namespace']) : '';
  if (namespace === '') throw badRequest('no namespace on request');
  return (
    engine.access.reviewRules?.(call.user, namespace) ?? { resourceRules: [], nonResourceRules: [], incomplete: true }
  );
}

async function token(engine: Engine, spec: unknown): Promise<object> {
  const given = isRecord(spec) ? text(spec['token']) : '';
  if (given === '') throw badRequest('token is required for TokenReview in authentication');
  const audiences = isRecord(spec) && Array.isArray(spec['audiences']) ? spec['audiences'].map(text) : [];
  const result = await engine.access.reviewToken?.(given, audiences);
  if (result === undefined) return { authenticated: false };
  if (!result.authenticated)
    return { authenticated: false, ...(result.error === undefined ? {} : { error: result.error }) };
  const seenBy = result.audiences === undefined ? {} : { audiences: result.audiences };
  return { authenticated: true, user: toUserInfo(result.user), ...seenBy };
}

function userIn({ username, uid, groups, extra }: Record<string, unknown>): UserInfo {
  return {
    username: text(username),
    groups: Array.isArray(groups) ? groups.map(text) : [],
    ...(text(uid) === '' ? {} : { uid: text(uid) }),
    ...(isRecord(extra) ? { extra: extra as Record<string, string[]> } : {}),
  };
}

function toUserInfo({ username, uid, groups, extra }: UserInfo): object {
  return {
    username,
    ...(uid === undefined ? {} : { uid }),
    groups,
    ...(extra === undefined ? {} : { extra }),
  };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

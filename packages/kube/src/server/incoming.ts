/** The object in a request: decoded, of the kind the route names, at the place the route names. */
import { formatApiVersion, type KubeObject } from '@skerry/api';
import { strictDecodingIssues } from '@skerry/api/walker';
import { decodeBody } from './body.ts';
import type { Call, Engine } from './engine.ts';
import { shape } from './shaping.ts';
import { badRequest } from './statuses.ts';
import type { FieldValidation } from './write-options.ts';

/** Decodes and shapes the body of a create or an update. */
export function readObject(engine: Engine, call: Call, fieldValidation: FieldValidation): KubeObject {
  const body = decodeBody(call.request, engine.parseYaml);
  return takeObject(call, body.value, { problems: body.problems, fieldValidation });
}

export interface Strictness {
  /** Of the body, found while it was decoded. */
  readonly problems: readonly string[];
  readonly fieldValidation: FieldValidation;
}

/** Makes an object of the call's kind from any value, or refuses with 400. */
export function takeObject(call: Call, value: unknown, { problems, fieldValidation }: Strictness): KubeObject {
  const { gvk } = call.kind.row;
  if (!isRecord(value)) throw badRequest(`the object provided is unrecognized (must be of type ${gvk.kind})`);
  const candidate = {
    ...value,
    apiVersion: value['apiVersion'] ?? formatApiVersion(gvk),
    kind: value['kind'] ?? gvk.kind,
    metadata: value['metadata'] ?? {},
  };
  if (!isRecord(candidate.metadata)) throw badRequest('metadata must be an object');
  if (candidate.apiVersion !== formatApiVersion(gvk) || candidate.kind !== gvk.kind) {
    const got = `${candidate.apiVersion}, Kind=${candidate.kind}`;
    throw badRequest(`the object provided is ${got}, expected ${formatApiVersion(gvk)}, Kind=${gvk.kind}`);
  }
  const { object, unknown } = shape(call.kind, candidate as unknown as KubeObject);
  report(call, [...problems, ...strictDecodingIssues({ unknown })], fieldValidation);
  return object;
}

/** What strict decoding found: an error, warnings, or nothing, as the client asked. */
function report(call: Call, problems: readonly string[], fieldValidation: FieldValidation): void {
  if (problems.length === 0 || fieldValidation === 'Ignore') return;
  if (fieldValidation === 'Strict') {
    const { kind, version } = call.kind.row.gvk;
    const list = problems.join(', ');
    throw badRequest(`${kind} in version "${version}" cannot be handled as a ${kind}: strict decoding error: ${list}`);
  }
  call.warnings.push(...problems);
}

/** The namespace and name of the route win; what the object says may not differ. */
export function settlePlace(call: Call, object: KubeObject): void {
  const { route, kind } = call;
  const { metadata } = object;
  const namespace = kind.row.namespaced ? (route.namespace ?? '') : '';
  if (metadata.namespace !== undefined && metadata.namespace !== '' && metadata.namespace !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if (namespace === '') delete metadata.namespace;
  else metadata.namespace = namespace;
}

/** An update names its object twice, and both must agree. */
export function settleName(name: string, object: KubeObject): void {
  const { metadata } = object;
  if (metadata.name === undefined || metadata.name === '') metadata.name = name;
  if (metadata.name !== name) {
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

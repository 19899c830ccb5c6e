/** The `scale` subresource: one shape for whatever has replicas. */
import { formatApiVersion, type KubeObject } from '@skerry/api';
import { formatLabelSelector, selectorFromObject } from '@skerry/api/selectors';
import type { StoredObject } from '../../store/contract.ts';
import { reviewObject } from '../admission/review/review.ts';
import { decodeBody } from '../body.ts';
import type { ApiResponse } from '../contract.ts';
import { type Call, type Engine, fault, find, groupResource, nameOf, viewOf } from '../engine.ts';
import { isRecord } from '../incoming.ts';
import { toServedObject } from '../object-text.ts';
import { patched, readPatch } from '../patch.ts';
import { pathIn, withPath } from '../path-in.ts';
import { respondJson } from '../respond.ts';
import { badRequest, conflict, invalid, methodNotAllowed, noSuchRoute, notFound } from '../statuses.ts';
import { findForWrite, updateObject } from '../update.ts';
import { optionsObject, parseWriteOptions } from '../write-options.ts';

const SCALE_GVK = { group: 'autoscaling', version: 'v1', kind: 'Scale' } as const;

interface Paths {
  readonly specPath: string;
  readonly statusPath: string;
  readonly selectorPath?: string;
}

export async function scale(engine: Engine, call: Call): Promise<ApiResponse> {
  const paths = call.kind.row.scale;
  if (paths === undefined) throw noSuchRoute();
  const stored = find(engine, call) ?? missing(engine, call);
  const object = toServedObject(stored, viewOf(call.kind));
  const current = scaleOf(object, paths);
  switch (call.route.verb) {
    case 'get':
      return respondJson(200, current, call.wanted);
    case 'update':
      return write(engine, call, { stored, object, paths, wanted: decodeBody(call.request, engine.parseYaml).value });
    case 'patch':
      return write(engine, call, {
        stored,
        object,
        paths,
        wanted: patched(call, current, readPatch(engine, call, true)),
      });
    default:
      throw methodNotAllowed();
  }
}

function missing(engine: Engine, call: Call): StoredObject {
  if (call.route.verb === 'get') throw notFound(groupResource(call.kind), nameOf(call.route));
  return findForWrite(engine, call, 'update');
}

async function write(
  engine: Engine,
  call: Call,
  { stored, object, paths, wanted }: { stored: StoredObject; object: KubeObject; paths: Paths; wanted: unknown },
): Promise<ApiResponse> {
  const options = parseWriteOptions(call.request, call.route.verb === 'patch' ? 'PatchOptions' : 'UpdateOptions');
  if (!isRecord(wanted)) throw badRequest('the object provided is unrecognized (must be of type Scale)');
  checkVersion(call, object, wanted);
  const scaled: KubeObject = { ...scaleOf(object, paths), spec: { replicas: replicasOf(wanted, nameOf(call.route)) } };
  reviewObject(engine, call, {
    operation: 'UPDATE',
    gvk: SCALE_GVK,
    object: scaled,
    old: scaleOf(object, paths),
    options: optionsObject(options, call.route.verb === 'patch' ? 'PatchOptions' : 'UpdateOptions'),
    dryRun: options.dryRun,
  });
  // A reviewer may have scaled it otherwise.
  const next = withPath(object, paths.specPath, replicasOf({ spec: scaled['spec'] }, nameOf(call.route)));
  const written = await updateObject(engine, call, { stored, object: next, options, isReviewed: true });
  return respondJson(200, scaleOf(toServedObject(written, viewOf(call.kind)), paths), call.wanted);
}

function checkVersion(call: Call, object: KubeObject, { metadata }: Record<string, unknown>): void {
  const { resourceVersion } = isRecord(metadata) ? metadata : {};
  const isFree = resourceVersion === undefined || resourceVersion === '' || resourceVersion === '0';
  if (!isFree && resourceVersion !== object.metadata.resourceVersion) {
    throw conflict(groupResource(call.kind), nameOf(call.route));
  }
}

function replicasOf({ spec }: Record<string, unknown>, name: string): number {
  const replicas = isRecord(spec) ? (spec['replicas'] ?? 0) : 0;
  if (typeof replicas !== 'number' || !Number.isInteger(replicas)) throw badRequest('spec.replicas must be an integer');
  if (replicas < 0 || replicas > 2 ** 31 - 1) {
    const text = `Invalid value: ${replicas}: must be greater than or equal to 0`;
    throw invalid(SCALE_GVK, name, [fault('FieldValueInvalid', 'spec.replicas', text)]);
  }
  return replicas;
}

function scaleOf(object: KubeObject, { specPath, statusPath, selectorPath }: Paths): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = selectorPath === undefined ? undefined : selectorText(pathIn(object, selectorPath));
  return {
    kind: SCALE_GVK.kind,
    apiVersion: formatApiVersion(SCALE_GVK),
    metadata: JSON.parse(JSON.stringify({ name, namespace, uid, resourceVersion, creationTimestamp })),
    spec: { replicas: pathIn(object, specPath) ?? 0 },
    status: {
      replicas: pathIn(object, statusPath) ?? 0,
      ...(selector === undefined || selector === '' ? {} : { selector }),
    },
  };
}

/** Some kinds keep the text, some a label selector, some a plain map. */
function selectorText(selector: unknown): string | undefined {
  if (typeof selector === 'string') return selector;
  if (!isRecord(selector)) return undefined;
  const isSelector = 'matchLabels' in selector || 'matchExpressions' in selector;
  return formatLabelSelector(selectorFromObject(isSelector ? selector : { matchLabels: selector }));
}

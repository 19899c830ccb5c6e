/** PATCH in its four forms: JSON patch, merge patch, strategic merge patch, server-side apply. */
import type { KubeObject } from '@skerry/api';
import { applyJsonPatch, applyMergePatch, applyStrategicPatch } from '@skerry/api/patch';
import type { StoredObject } from '../store/contract.ts';
import { authorize } from './authorize.ts';
import { type Body, decodeJson, decodeYaml, mediaTypeOf } from './body.ts';
import type { ApiResponse } from './contract.ts';
import { createObject } from './create.ts';
import { type Call, type Engine, find, groupResource, nameOf, viewOf } from './engine.ts';
import { respondObject } from './forms.ts';
import { settleName, takeObject } from './incoming.ts';
import { applyConfiguration } from './managed-fields.ts';
import { toServedObject } from './object-text.ts';
import { checkWrite } from './replica-writes.ts';
import { badRequest, methodNotSupported, notFound, unsupportedMediaType } from './statuses.ts';
import { updateObject } from './update.ts';
import { parseWriteOptions, type WriteOptions } from './write-options.ts';

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

const PATCH_TYPES: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};

export interface Patch {
  readonly type: PatchType;
  readonly body: Body;
}

export async function patch(engine: Engine, call: Call): Promise<ApiResponse> {
  if (!call.kind.row.verbs.includes('patch')) throw methodNotSupported(groupResource(call.kind), 'patch');
  const options = parseWriteOptions(call.request, 'PatchOptions');
  const incoming = readPatch(engine, call, call.kind.isCustom);
  const stored = find(engine, call);
  if (incoming.type === 'apply') return applyPatch(engine, call, { incoming, stored, options });
  if (stored === undefined) throw missing(engine, call);
  const next = patched(call, toServedObject(stored, viewOf(call.kind)), incoming);
  const object = takeObject(call, next, {
    problems: incoming.body.problems,
    fieldValidation: options.fieldValidation,
  });
  return respondObject(engine, call, 200, await updateObject(engine, call, { stored, object, options }));
}

export function readPatch(engine: Engine, call: Call, isCustom: boolean): Patch {
  const mediaType = mediaTypeOf(call.request.headers['content-type']);
  const type = PATCH_TYPES[mediaType];
  const accepted = Object.keys(PATCH_TYPES).filter((name) => !isCustom || PATCH_TYPES[name] !== 'strategic');
  if (type === undefined || !accepted.includes(mediaType)) throw unsupportedMediaType(accepted);
  const bytes = call.request.body;
  if (bytes === undefined || bytes.length === 0) throw badRequest('the patch is empty');
  return { type, body: type === 'apply' ? decodeYaml(bytes, engine.parseYaml) : decodeJson(bytes) };
}

/** The object after the patch; `base` is not changed. */
export function patched(call: Call, base: KubeObject, { type, body }: Patch): unknown {
  switch (type) {
    case 'json':
      return applyJsonPatch(base, body.value);
    case 'merge':
      return applyMergePatch(base, body.value);
    case 'strategic':
      return applyStrategicPatch(base, body.value, call.kind.schema ?? {});
    case 'apply':
      throw badRequest('server-side apply is not supported here');
  }
}

function missing(engine: Engine, call: Call): Error {
  checkWrite(engine, call, { verb: 'update' });
  return notFound(groupResource(call.kind), nameOf(call.route));
}

async function applyPatch(
  engine: Engine,
  call: Call,
  { incoming, stored, options }: { incoming: Patch; stored: StoredObject | undefined; options: WriteOptions },
): Promise<ApiResponse> {
  if (!call.request.query.get('fieldManager')) {
    throw badRequest(
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
    );
  }
  const { problems, value } = incoming.body;
  const config = takeObject(call, value, { problems, fieldValidation: options.fieldValidation });
  settleName(nameOf(call.route), config);
  const old = stored === undefined ? undefined : toServedObject(stored, viewOf(call.kind));
  const { object, changed } = applyConfiguration(engine, call, { old, config, options });
  if (stored === undefined) {
    if (call.route.subresource !== undefined) throw missing(engine, call);
    // Who may patch may not therefore create.
    authorize(engine.authorizer, call.request, { ...call.route, verb: 'create' });
    return respondObject(engine, call, 201, await createObject(engine, call, object, options, true));
  }
  if (!changed) return respondObject(engine, call, 200, stored);
  const written = await updateObject(engine, call, { stored, object, options, isApply: true });
  return respondObject(engine, call, 200, written);
}

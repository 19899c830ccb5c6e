/** POST to a collection, and the tail of an apply that found nothing. */
import { isStatus, type KubeObject } from '@skerry/api';
import { newNameSuffix, newUid } from '@skerry/base';
import type { StoredObject } from '../store/contract.ts';
import { admit } from './admission/index.ts';
import { ReviewedRequest } from './admission/review/review.ts';
import type { ApiResponse } from './contract.ts';
import { type Call, type Engine, groupResource, inStoredVersion, keyOf, timeText } from './engine.ts';
import { respondObject } from './forms.ts';
import { readObject, settlePlace } from './incoming.ts';
import { trackFields } from './managed-fields.ts';
import { toStoredJson } from './object-text.ts';
import { checkWrite } from './replica-writes.ts';
import { fillDefaults, validateWrite } from './shaping.ts';
import { alreadyExists, badRequest, invalid, methodNotSupported } from './statuses.ts';
import { dropForeignStatus, strategyOf } from './strategies.ts';
import { optionsObject, parseWriteOptions, type WriteOptions } from './write-options.ts';

/** How often a generated name that is taken is drawn again. */
const MAX_NAME_DRAWS = 8;

// generateName keeps room for the suffix within the 63 characters of a label value.
const MAX_GENERATED_BASE = 58;

export async function create(engine: Engine, call: Call): Promise<ApiResponse> {
  if (!call.kind.row.verbs.includes('create')) throw methodNotSupported(groupResource(call.kind), 'create');
  const options = parseWriteOptions(call.request, 'CreateOptions');
  const object = readObject(engine, call, options.fieldValidation);
  const stored = await createObject(engine, call, object, options);
  return respondObject(engine, call, 201, stored);
}

/** Creates a decoded object; gives back what is stored (or would be, in a dry run). */
export async function createObject(
  engine: Engine,
  call: Call,
  object: KubeObject,
  options: WriteOptions,
  isApply = false,
): Promise<StoredObject> {
  if (call.kind.isTerminating === true) throw methodNotSupported(groupResource(call.kind), 'create');
  settlePlace(call, object);
  checkWrite(engine, call, { verb: 'create', object });
  const isGenerated = !object.metadata.name && Boolean(object.metadata.generateName);
  for (let draw = 1; ; draw++) {
    const candidate = isGenerated && draw < MAX_NAME_DRAWS ? structuredClone(object) : object;
    const prepared = prepareCreate(engine, call, candidate, { options, isApply });
    try {
      return await commitCreate(engine, call, prepared, options);
    } catch (error) {
      if (!isGenerated || draw >= MAX_NAME_DRAWS || !isStatus(error, 'AlreadyExists')) throw error;
    }
  }
}

function prepareCreate(
  engine: Engine,
  call: Call,
  object: KubeObject,
  { options, isApply }: { options: WriteOptions; isApply: boolean },
): KubeObject {
  const { kind } = call;
  setSystemMetadata(engine, call, object);
  dropForeignStatus(kind, object);
  fillDefaults(kind, object);
  strategyOf(kind).begin?.(object);
  const name = object.metadata.name ?? '';
  const { dryRun } = options;
  const review = new ReviewedRequest(engine, call, {
    operation: 'CREATE',
    name,
    object,
    options: optionsObject(options, 'CreateOptions'),
    dryRun,
  });
  admit(
    engine,
    {
      operation: 'CREATE',
      kind,
      user: call.user,
      namespace: object.metadata.namespace ?? '',
      name,
      object,
      dryRun,
      warnings: call.warnings,
      annotations: call.annotations,
    },
    review,
  );
  const faults = validateWrite(engine, call, { object });
  if (faults.length > 0) throw invalid(kind.row.gvk, name, faults);
  review.validate();
  if (!isApply) trackFields(engine, call, { object, options });
  return object;
}

function setSystemMetadata(engine: Engine, call: Call, object: KubeObject): void {
  const { metadata } = object;
  if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== '' && metadata.resourceVersion !== '0') {
    throw badRequest('resourceVersion should not be set on objects to be created');
  }
  if (!metadata.name && metadata.generateName) {
    metadata.name = `${metadata.generateName.slice(0, MAX_GENERATED_BASE)}${newNameSuffix(5, engine.random)}`;
  }
  delete metadata.resourceVersion;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata.generation;
  metadata.uid = newUid(engine.random);
  metadata.creationTimestamp = timeText(call.receivedAt);
  if (call.kind.row.tracksGeneration) metadata.generation = 1;
}

async function commitCreate(
  engine: Engine,
  call: Call,
  object: KubeObject,
  { dryRun }: WriteOptions,
): Promise<StoredObject> {
  const { kind } = call;
  const name = object.metadata.name ?? '';
  const key = keyOf(kind.row, object.metadata.namespace, name);
  if (engine.store.get(key) !== undefined) throw alreadyExists(groupResource(kind), name);
  const json = toStoredJson(inStoredVersion(kind, object));
  if (dryRun) return { key, revision: 0, json };
  return engine.store.put(key, json, { ifRevision: 0 });
}

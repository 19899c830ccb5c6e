/** Our own definitions as a newer release has them, over those of an older one: nothing that is there is taken away. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '@skerry/api';

type Json = Readonly<Record<string, unknown>>;

/**
 * What the stored definition is to become; undefined when it is that already. Fields and versions that only the stored one has
 * are kept, so that going back to an older release, and forward again, loses nothing of any object.
 */
export function updatedDefinition(stored: KubeObject, wanted: KubeObject): KubeObject | undefined {
  const spec = stored['spec'] as Json;
  const merged: KubeObject = {
    ...stored,
    metadata: { ...stored.metadata, ...annotationsOf(stored, wanted) },
    spec: mergeSpec(spec, wanted['spec'] as Json),
  };
  return isDeepStrictEqual(merged, stored) ? undefined : merged;
}

function annotationsOf({ metadata: before }: KubeObject, { metadata: after }: KubeObject) {
  const annotations = { ...before.annotations, ...after.annotations };
  return Object.keys(annotations).length === 0 ? {} : { annotations };
}

function mergeSpec(stored: Json, wanted: Json): Json {
  return {
    ...stored,
    ...wanted,
    names: { ...(stored['names'] as Json), ...(wanted['names'] as Json) },
    versions: mergeVersions(stored['versions'] as readonly Json[], wanted['versions'] as readonly Json[]),
  };
}

function mergeVersions(stored: readonly Json[], wanted: readonly Json[]): readonly Json[] {
  const names = new Set(wanted.map(({ name }) => name));
  const merged = wanted.map((version) => {
    const before = stored.find(({ name }) => name === version['name']);
    return before === undefined ? version : mergeVersion(before, version);
  });
  // Objects are stored in one version only, and that one is said by the release that runs.
  const older = stored.filter(({ name }) => !names.has(name)).map((version) => ({ ...version, storage: false }));
  return [...merged, ...older];
}

function mergeVersion(stored: Json, wanted: Json): Json {
  const schemaOf = (version: Json) => ((version['schema'] as Json | undefined)?.['openAPIV3Schema'] ?? {}) as Json;
  return { ...stored, ...wanted, schema: { openAPIV3Schema: mergeSchema(schemaOf(stored), schemaOf(wanted)) } };
}

/** What is said of a field is the release's; which fields there are is both's. */
function mergeSchema(stored: Json, wanted: Json): Json {
  return {
    ...wanted,
    ...mergedProperties(stored['properties'], wanted['properties']),
    ...mergedChild('items', stored, wanted),
    ...mergedChild('additionalProperties', stored, wanted),
  };
}

function mergedProperties(stored: unknown, wanted: unknown): Json {
  if (!isObject(stored)) return {};
  const fields = isObject(wanted) ? wanted : {};
  const names = [...new Set([...Object.keys(fields), ...Object.keys(stored)])];
  const properties = names.map((name) => {
    const [before, after] = [stored[name], fields[name]];
    return [name, isObject(before) && isObject(after) ? mergeSchema(before, after) : (after ?? before)];
  });
  return { properties: Object.fromEntries(properties) as Json };
}

function mergedChild(keyword: string, stored: Json, wanted: Json): Json {
  const [before, after] = [stored[keyword], wanted[keyword]];
  return isObject(before) && isObject(after) ? { [keyword]: mergeSchema(before, after) } : {};
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

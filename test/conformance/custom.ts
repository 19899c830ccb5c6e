/** Kinds that a case defines for itself. */
import type { KubeObject } from '@skerry/api';
import type { CustomResourceDefinition } from '@skerry/api/types';
import type { Collection } from './collection.ts';
import type { Lab } from './lab.ts';

export interface CustomKind {
  readonly kind?: string;
  readonly plural?: string;
  /** Absent: one of the case's own. */
  readonly group?: string;
  readonly versions?: readonly object[];
  /** openAPIV3Schema of the only version. */
  readonly schema?: object;
}

export interface Defined {
  readonly definition: CustomResourceDefinition;
  /** Of the first version. */
  readonly objects: Collection;
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
}

export const ANYTHING = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

export function version(name: string, schema: object = ANYTHING, more: object = {}): object {
  return { name, served: true, storage: true, schema: { openAPIV3Schema: schema }, ...more };
}

/** A schema whose spec has these properties. */
export function specOf(properties: object, more: object = {}): object {
  return { type: 'object', properties: { spec: { type: 'object', properties, ...more } } };
}

/** What a definition is before the server has it; everything but apiVersion and kind. */
function customKind(lab: Lab, kind: CustomKind = {}): KubeObject {
  const { kind: name = 'Tide', plural = 'tides', group = `g${lab.id}.example.com`, schema } = kind;
  const versions = kind.versions ?? [version('v1', schema)];
  const names = { kind: name, listKind: `${name}List`, plural, singular: name.toLowerCase() };
  return {
    metadata: { name: `${plural}.${group}`, labels: { suite: lab.id } },
    spec: { group, scope: 'Namespaced', names, versions },
  } as unknown as KubeObject;
}

/** Defines a kind, and waits until it is established and served. */
export async function define(lab: Lab, plan: CustomKind = {}): Promise<Defined> {
  const definition = (await lab
    .of('CustomResourceDefinition')
    .create(customKind(lab, plan))) as CustomResourceDefinition;
  await established(lab, definition.metadata.name ?? '');
  if (definition.spec === undefined) throw new Error('a definition without spec');
  const { group, names, versions } = definition.spec;
  const { kind, plural } = names;
  const objects = lab.collection({
    apiVersion: `${group}/${versions[0]?.name}`,
    kind,
    resource: plural,
    namespace: lab.namespace,
  });
  await lab.eventually(`${plural} are served`, async () => {
    const { status } = await lab.api.ask({ path: objects.path });
    return status === 200;
  });
  return { definition, objects, group, kind, plural };
}

export function established(lab: Lab, name: string): Promise<CustomResourceDefinition> {
  return lab.eventually(`${name} is established`, async () => {
    const definition = (await lab.of('CustomResourceDefinition').get(name)) as CustomResourceDefinition;
    const isSo = definition.status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True');
    return isSo === true && definition;
  });
}

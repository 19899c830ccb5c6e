/** What a definition adds to the API: a row and a schema for each version that is served. */
import type { CustomResourceDefinition, CustomResourceDefinitionVersion, JSONSchemaProps } from '../generated/types.ts';
import type { PrinterColumn, Relation, ResourceRow, Verb } from '../resource.ts';
import type { Schema } from '../schema.ts';
import { customResourceSchema } from './structural-schema.ts';

export interface CustomResource {
  readonly row: ResourceRow;
  readonly schema: Schema;
  /** The version that objects are stored in. */
  readonly isStorage: boolean;
  /** The warning that every answer of a deprecated version carries. */
  readonly deprecationWarning?: string;
}

const VERBS: readonly Verb[] = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'];
const AGE: PrinterColumn = {
  name: 'Age',
  type: 'date',
  description: 'Time since the object was created.',
  jsonPath: '.metadata.creationTimestamp',
};

/** Annotations by which a definition says what the edge must know of its kind. Each is optional. */
export const ORIGIN_ANNOTATION = 'skerry.io/origin';
export const EDGE_WRITABLE_ANNOTATION = 'skerry.io/edge-writable';
export const NODE_PATH_ANNOTATION = 'skerry.io/node-path';
/** A JSON list of `{to: {group, version, resource}, namePaths: []}`. */
export const RELATIONS_ANNOTATION = 'skerry.io/relations';

export function customResources(definition: CustomResourceDefinition): CustomResource[] {
  return definition.spec.versions
    .filter((version) => version.served)
    .map((version) => ({
      row: rowOf(definition, version),
      schema: schemaOfVersion(version),
      isStorage: version.storage,
      ...deprecationOf(definition, version),
    }));
}

/** The schema in which objects of this version are stored, also when it is not served. */
export function schemaOfVersion(version: CustomResourceDefinitionVersion): Schema {
  return customResourceSchema(version.schema?.openAPIV3Schema ?? { type: 'object' });
}

function rowOf(definition: CustomResourceDefinition, version: CustomResourceDefinitionVersion): ResourceRow {
  const { group, names, scope } = definition.spec;
  const { status, scale } = version.subresources ?? {};
  const nodePath = nodePathOf(definition, version);
  return {
    gvr: { group, version: version.name, resource: names.plural },
    gvk: { group, version: version.name, kind: names.kind },
    listKind: names.listKind ?? `${names.kind}List`,
    singular: names.singular ?? names.kind.toLowerCase(),
    namespaced: scope === 'Namespaced',
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    verbs: VERBS,
    subresources: [...(scale === undefined ? [] : ['scale']), ...(status === undefined ? [] : ['status'])],
    selectableFields: (version.selectableFields ?? []).map((field) => dotted(field.jsonPath)),
    tracksGeneration: true,
    origin: annotation(definition, ORIGIN_ANNOTATION) === 'edge' ? 'edge' : 'cloud',
    edgeWritable: wordsOf(annotation(definition, EDGE_WRITABLE_ANNOTATION)),
    ...(nodePath === undefined ? {} : { nodePath }),
    relations: relationsOf(annotation(definition, RELATIONS_ANNOTATION)),
    printerColumns: columnsOf(version),
    ...(scale === undefined ? {} : { scale: scaleOf(scale) }),
  };
}

function scaleOf(scale: {
  readonly specReplicasPath: string;
  readonly statusReplicasPath: string;
  readonly labelSelectorPath?: string;
}): NonNullable<ResourceRow['scale']> {
  return {
    specPath: dotted(scale.specReplicasPath),
    statusPath: dotted(scale.statusReplicasPath),
    ...(scale.labelSelectorPath === undefined ? {} : { selectorPath: dotted(scale.labelSelectorPath) }),
  };
}

function columnsOf(version: CustomResourceDefinitionVersion): readonly PrinterColumn[] {
  const columns = version.additionalPrinterColumns;
  return columns === undefined || columns.length === 0 ? [AGE] : columns;
}

/** Every kind with `spec.placement` is resolved to `status.nodes` by the placement controller. */
function nodePathOf(
  definition: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
): string | undefined {
  const named = annotation(definition, NODE_PATH_ANNOTATION);
  if (named !== undefined) return named;
  const isOurs = definition.spec.group === 'skerry.io' || definition.spec.group.endsWith('.skerry.io');
  const spec: JSONSchemaProps | undefined = version.schema?.openAPIV3Schema?.properties?.spec;
  return isOurs && spec?.properties?.placement !== undefined ? 'status.nodes[]' : undefined;
}

function deprecationOf(
  definition: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
): { readonly deprecationWarning?: string } {
  if (version.deprecated !== true) return {};
  const { group, names } = definition.spec;
  return { deprecationWarning: version.deprecationWarning ?? `${group}/${version.name} ${names.kind} is deprecated` };
}

function annotation(definition: CustomResourceDefinition, name: string): string | undefined {
  return definition.metadata.annotations?.[name];
}

function wordsOf(text: string | undefined): string[] {
  return (text ?? '').split(',').flatMap((word) => (word.trim() === '' ? [] : [word.trim()]));
}

/** Undefined or broken: no relations; a definition is not ours alone, so nothing here may throw. */
function relationsOf(text: string | undefined): readonly Relation[] {
  if (text === undefined) return [];
  try {
    const parsed: unknown = JSON.parse(text);
    return Array.isArray(parsed) ? parsed.filter(isRelation) : [];
  } catch {
    return [];
  }
}

function isRelation(value: unknown): value is Relation {
  if (typeof value !== 'object' || value === null) return false;
  const { to, namePaths } = value as Partial<Relation>;
  return typeof to?.resource === 'string' && typeof to.group === 'string' && Array.isArray(namePaths);
}

/** `.spec.replicas` as rows write it. */
function dotted(jsonPath: string): string {
  return jsonPath.startsWith('.') ? jsonPath.slice(1) : jsonPath;
}

/** The OpenAPI documents that kubectl and consoles read: one a group version (v3), and one for everything (v2). */
import { createHash } from 'node:crypto';
import { subresourceKind } from '../facts/index.ts';
import { formatApiVersion, type GroupVersion, type Gvk } from '../names.ts';
import type { ResourceRow } from '../resource.ts';
import type { Schema } from '../schema.ts';
import { customModelName, modelName } from './names.ts';
import { type BodyWriter, type Operation, pathsOf } from './operations.ts';
import { type Dialect, type OpenApiSchema, SchemaWriter } from './schema-writer.ts';

export type SchemaFor = (gvk: Gvk) => Schema | undefined;

export interface OpenApiV3 {
  readonly openapi: '3.0.0';
  readonly info: Operation;
  readonly paths: Record<string, Operation>;
  readonly components: { readonly schemas: Record<string, OpenApiSchema> };
}

export interface OpenApiV2 {
  readonly swagger: '2.0';
  readonly info: Operation;
  readonly paths: Record<string, Operation>;
  readonly definitions: Record<string, OpenApiSchema>;
}

const TITLE = 'Kubernetes';
const JSON_TYPE = 'application/json';
const PATCH_TYPES = ['application/apply-patch+yaml', 'application/json-patch+json', 'application/merge-patch+json'];
/** Custom resources have none: kubectl would send one where it is offered. */
const STRATEGIC_PATCH = 'application/strategic-merge-patch+json';

/** The document of `/openapi/v3/api/v1` and its like. `rows` may hold other group versions; they are passed over. */
export function openApiV3(groupVersion: GroupVersion, rows: readonly ResourceRow[], schemaFor: SchemaFor): OpenApiV3 {
  const wanted = formatApiVersion(groupVersion);
  const own = rows.filter(({ gvr }) => formatApiVersion(gvr) === wanted);
  const models = new Models('v3', schemaFor);
  for (const row of own) models.addRow(row);
  const writer: BodyWriter = { parameter: v3Parameter, bodies: (...facts) => v3Bodies(models, ...facts) };
  return {
    openapi: '3.0.0',
    info: { title: TITLE, version: groupVersion.version },
    paths: Object.assign({}, ...own.map((row) => pathsOf(row, writer))) as Record<string, Operation>,
    components: { schemas: models.schemas },
  };
}

/** The document of `/openapi/v2`, which older clients and consoles read. */
export function openApiV2(rows: readonly ResourceRow[], schemaFor: SchemaFor): OpenApiV2 {
  const models = new Models('v2', schemaFor);
  for (const row of rows) models.addRow(row);
  const writer: BodyWriter = { parameter: v2Parameter, bodies: (...facts) => v2Bodies(models, ...facts) };
  return {
    swagger: '2.0',
    info: { title: TITLE, version: 'unversioned' },
    paths: Object.assign({}, ...rows.map((row) => pathsOf(row, writer))) as Record<string, Operation>,
    definitions: models.schemas,
  };
}

/** What the index of documents appends as `?hash=`, so that clients may cache for ever. */
export function hashOf(document: object): string {
  return createHash('sha512').update(JSON.stringify(document)).digest('hex').toUpperCase();
}

/** The models of a document, each with the kinds it stands for. */
class Models {
  readonly #writer: SchemaWriter;
  readonly #schemaFor: SchemaFor;
  readonly #names = new Map<string, string>();

  constructor(dialect: Dialect, schemaFor: SchemaFor) {
    this.#writer = new SchemaWriter(dialect);
    this.#schemaFor = schemaFor;
  }

  get schemas(): Record<string, OpenApiSchema> {
    return this.#writer.models;
  }

  addRow(row: ResourceRow): void {
    this.#add(row.gvk);
    for (const subresource of row.subresources) this.#add(subresourceKind(row, subresource));
    if (row.verbs.includes('list')) this.#addList(row);
    if (row.verbs.includes('delete')) this.#add({ ...row.gvk, kind: 'DeleteOptions' });
    this.#add({ ...row.gvk, kind: 'Status' });
  }

  /** A reference to a kind's model, or undefined for a kind without a schema. */
  reference(gvk: Gvk): OpenApiSchema | undefined {
    const name = this.#names.get(keyOf(gvk));
    return name === undefined ? undefined : this.#writer.reference(name);
  }

  patchTypes(gvk: Gvk): readonly string[] {
    return this.#schemaFor(gvk)?.typeName === undefined ? PATCH_TYPES : [...PATCH_TYPES, STRATEGIC_PATCH];
  }

  #add(gvk: Gvk): void {
    if (this.#names.has(keyOf(gvk))) return;
    const schema = this.#schemaFor(gvk);
    if (schema === undefined) return;
    const name = schema.typeName === undefined ? customModelName(gvk) : modelName(schema.typeName);
    this.#names.set(keyOf(gvk), name);
    const before = this.#writer.models[name]?.['x-kubernetes-group-version-kind'];
    const kinds = [...(Array.isArray(before) ? (before as unknown[]) : []), kindOf(gvk)];
    this.#writer.define(name, schema, { 'x-kubernetes-group-version-kind': kinds });
  }

  #addList(row: ResourceRow): void {
    const gvk = { ...row.gvk, kind: row.listKind };
    if (this.#schemaFor(gvk) !== undefined) {
      this.#add(gvk);
      return;
    }
    const item = this.#schemaFor(row.gvk);
    if (item === undefined) return;
    const name = customModelName(gvk);
    this.#names.set(keyOf(gvk), name);
    const metadata = this.#schemaFor({ group: '', version: 'v1', kind: 'PodList' })?.properties?.metadata;
    this.#writer.define(
      name,
      {
        type: 'object',
        required: ['items'],
        properties: {
          apiVersion: { type: 'string' },
          kind: { type: 'string' },
          ...(metadata === undefined ? {} : { metadata }),
        },
      },
      { 'x-kubernetes-group-version-kind': [kindOf(gvk)] },
    );
    const properties = this.#writer.models[name]?.properties as OpenApiSchema;
    properties.items = { type: 'array', items: this.reference(row.gvk) };
  }
}

function keyOf({ group, version, kind }: Gvk): string {
  return `${group}/${version}/${kind}`;
}

function kindOf({ group, version, kind }: Gvk): Gvk {
  return { group, kind, version };
}

function v3Parameter(name: string, type: string): Operation {
  return { name, in: 'query', schema: { type, uniqueItems: true } };
}

function v2Parameter(name: string, type: string): Operation {
  return { name, in: 'query', type, uniqueItems: true };
}

function v3Bodies(models: Models, operation: Operation, method: string, kind: Gvk): Operation {
  const schema = models.reference(kind);
  const answer =
    schema === undefined ? { description: 'OK' } : { description: 'OK', content: { [JSON_TYPE]: { schema } } };
  const out = { ...operation, responses: { 200: answer } };
  if (method === 'get' || method === 'delete' || schema === undefined) return out;
  const types = method === 'patch' ? models.patchTypes(kind) : [JSON_TYPE];
  const bodySchema = method === 'patch' ? { type: 'object' } : schema;
  return { ...out, requestBody: { content: Object.fromEntries(types.map((type) => [type, { schema: bodySchema }])) } };
}

function v2Bodies(models: Models, operation: Operation, method: string, kind: Gvk): Operation {
  const schema = models.reference(kind);
  const answer = schema === undefined ? { description: 'OK' } : { description: 'OK', schema };
  const out = { ...operation, responses: { 200: answer } };
  if (method === 'get' || method === 'delete' || schema === undefined) return out;
  const bodySchema = method === 'patch' ? { type: 'object' } : schema;
  const parameters = [
    ...(operation.parameters as Operation[]),
    { name: 'body', in: 'body', required: true, schema: bodySchema },
  ];
  return { ...out, parameters, consumes: method === 'patch' ? models.patchTypes(kind) : ['*/*'] };
}

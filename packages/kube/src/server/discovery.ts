/** Discovery and OpenAPI documents, made when first asked for and again when the table of kinds changes. */
import { createHash } from 'node:crypto';
import {
  formatApiVersion,
  type GroupVersion,
  type Gvk,
  parseApiVersion,
  type ResourceRow,
  type Schema,
} from '@skerry/api';
import { schemaFor } from '@skerry/api/facts';
import {
  aggregatedDiscovery,
  apiGroupDocument,
  apiGroupList,
  apiResourceList,
  apiVersions,
  openApiV2,
  openApiV3,
} from '@skerry/api/openapi';
import type { ApiRequest, ApiResponse } from './contract.ts';
import type { Engine } from './engine.ts';
import { parseAccept } from './negotiate.ts';
import type { ResourceTable } from './resource-table.ts';
import { SERVER_VERSION } from './version.ts';

/** Documents are large and asked for in bursts by one client, so few are kept. */
const MAX_KEPT_DOCUMENTS = 8;

interface Document {
  readonly text: string;
  readonly etag: string;
}

interface Kept {
  readonly generation: number;
  readonly documents: Map<string, Document>;
}

const keptByTable = new WeakMap<ResourceTable, Kept>();

/** Undefined when the path is not one of these documents. */
export function answerDiscovery({ table }: Engine, request: ApiRequest, path: string): ApiResponse | undefined {
  if (path === '/api' || path === '/apis') return answerRoot(table, request, path);
  if (path === '/openapi/v2') return answerOpenApiV2(table, request);
  if (path === '/openapi/v3')
    return respond(
      request,
      keep(table, path, () => openApiIndex(table)),
    );
  if (path.startsWith('/openapi/v3/')) return answerOpenApi(table, request, path);
  return answerGroup(table, request, path);
}

function answerRoot(table: ResourceTable, request: ApiRequest, path: '/api' | '/apis'): ApiResponse {
  const version = aggregatedVersion(request.headers['accept']);
  if (version === undefined) {
    // The one document that differs from client to client: it names the address the client came by.
    if (path === '/api') return respond(request, toDocument(apiVersions(request.headers['host'] ?? '')));
    return respond(
      request,
      keep(table, path, () => apiGroupList(rowsOf(table))),
    );
  }
  const document = keep(table, `${path} ${version}`, () => ({
    ...aggregatedDiscovery(rowsOf(table), path === '/api' ? 'core' : 'groups'),
    apiVersion: `apidiscovery.k8s.io/${version}`,
  }));
  return respond(request, document, `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`);
}

/** The version of the aggregated document that the client likes best; undefined when it wants the old ones. */
function aggregatedVersion(accept: string | undefined): 'v2' | 'v2beta1' | undefined {
  for (const { type, params } of parseAccept(accept ?? '')) {
    if (type !== 'application/json') continue;
    if (params['as'] === undefined) return undefined;
    const isAggregated = params['as'] === 'APIGroupDiscoveryList' && params['g'] === 'apidiscovery.k8s.io';
    if (isAggregated && (params['v'] === 'v2' || params['v'] === 'v2beta1')) return params['v'];
  }
  return undefined;
}

/** `/api/v1`, `/apis/GROUP`, `/apis/GROUP/VERSION`. */
function answerGroup(table: ResourceTable, request: ApiRequest, path: string): ApiResponse | undefined {
  const parts = path.slice(1).split('/');
  const [root, first = '', second, ...rest] = parts;
  if (rest.length > 0 || first === '') return undefined;
  if (root === 'apis' && second === undefined) {
    return ifThere(request, () => keepMaybe(table, path, () => apiGroupDocument(first, rowsOf(table))));
  }
  const groupVersion = root === 'api' ? { group: '', version: first } : { group: first, version: second ?? '' };
  if (root !== 'apis' && (root !== 'api' || second !== undefined)) return undefined;
  return ifThere(request, () => keepMaybe(table, path, () => apiResourceList(groupVersion, rowsOf(table))));
}

function answerOpenApi(table: ResourceTable, request: ApiRequest, path: string): ApiResponse | undefined {
  const groupVersion = groupVersionOf(path);
  if (groupVersion === undefined || !table.hasGroupVersion(groupVersion.group, groupVersion.version)) return undefined;
  const hash = hashOfGroupVersion(table, groupVersion);
  const asked = request.query.get('hash');
  if (asked !== null && asked !== hash) {
    return { status: 301, headers: { location: `${path}?hash=${hash}` }, body: '' };
  }
  const document = keep(table, path, () => openApiV3(groupVersion, rowsOf(table), schemas(table)));
  const response = respond(request, document);
  if (asked === null) return response;
  return { ...response, headers: { ...response.headers, 'cache-control': 'public, immutable, max-age=31536000' } };
}

function groupVersionOf(path: string): GroupVersion | undefined {
  const [, , , root, first = '', second, ...rest] = path.split('/');
  if (rest.length > 0) return undefined;
  if (root === 'api' && second === undefined) return { group: '', version: first };
  return root === 'apis' && second !== undefined ? { group: first, version: second } : undefined;
}

const OPENAPI_V2_PROTOBUF = 'application/com.github.proto-openapi.spec.v2';

/**
 * An OpenAPI v2 document in protobuf that defines nothing: `swagger: "2.0"`, an `info`, empty `paths` and `definitions`.
 * kubectl asks for this form only about kinds that no v3 document has; hearing nothing, it goes on as it should.
 */
const EMPTY_V2_PROTOBUF = Buffer.from('\n\x032.0\x12\x09\n\x03API\x12\x02v1B\0J\0', 'latin1');

function answerOpenApiV2(table: ResourceTable, request: ApiRequest): ApiResponse {
  if (request.headers['accept']?.startsWith(OPENAPI_V2_PROTOBUF) === true) {
    return {
      status: 200,
      headers: { 'content-type': `${OPENAPI_V2_PROTOBUF}.v1.0+protobuf` },
      body: EMPTY_V2_PROTOBUF,
    };
  }
  return respond(
    request,
    keep(table, '/openapi/v2', () => openApiV2(rowsOf(table), schemas(table))),
  );
}

function openApiIndex(table: ResourceTable): object {
  const paths: Record<string, { serverRelativeURL: string }> = {};
  for (const apiVersion of new Set(rowsOf(table).map(({ gvr }) => formatApiVersion(gvr)))) {
    const groupVersion = parseApiVersion(apiVersion);
    const name = groupVersion.group === '' ? `api/${apiVersion}` : `apis/${apiVersion}`;
    paths[name] = { serverRelativeURL: `/openapi/v3/${name}?hash=${hashOfGroupVersion(table, groupVersion)}` };
  }
  return { paths };
}

/** A document follows from the server's version and what it shows, so these make its hash: no document is written to name it. */
function hashOfGroupVersion(table: ResourceTable, { group, version }: GroupVersion): string {
  const own = table.all().filter(({ row: { gvr } }) => gvr.group === group && gvr.version === version);
  const shown = own.map(({ row, schema, isCustom }) => [row, isCustom ? schema : undefined]);
  return createHash('sha512')
    .update(SERVER_VERSION.gitVersion)
    .update(JSON.stringify(shown))
    .digest('hex')
    .toUpperCase();
}

function rowsOf(table: ResourceTable): ResourceRow[] {
  return table.all().map(({ row }) => row);
}

function schemas(table: ResourceTable): (gvk: Gvk) => Schema | undefined {
  return (gvk) => table.findKind(gvk.group, gvk.version, gvk.kind)?.schema ?? schemaFor(gvk);
}

function keep(table: ResourceTable, name: string, make: () => object): Document {
  return keepMaybe(table, name, make) as Document;
}

function keepMaybe(table: ResourceTable, name: string, make: () => object | undefined): Document | undefined {
  let kept = keptByTable.get(table);
  if (kept === undefined || kept.generation !== table.generation) {
    kept = { generation: table.generation, documents: new Map() };
    keptByTable.set(table, kept);
  }
  const known = kept.documents.get(name);
  if (known !== undefined) return known;
  const made = make();
  if (made === undefined) return undefined;
  const document = toDocument(made);
  kept.documents.set(name, document);
  const [oldest] = kept.documents.keys();
  if (kept.documents.size > MAX_KEPT_DOCUMENTS && oldest !== undefined) kept.documents.delete(oldest);
  return document;
}

function toDocument(made: object): Document {
  const text = JSON.stringify(made);
  return { text, etag: `"${createHash('sha256').update(text).digest('hex').toUpperCase()}"` };
}

function ifThere(request: ApiRequest, find: () => Document | undefined): ApiResponse | undefined {
  const document = find();
  return document === undefined ? undefined : respond(request, document);
}

function respond(request: ApiRequest, { text, etag }: Document, contentType = 'application/json'): ApiResponse {
  const headers = { 'content-type': contentType, etag, vary: 'Accept', 'cache-control': 'public' };
  if (request.headers['if-none-match'] === etag) return { status: 304, headers };
  return { status: 200, headers, body: text };
}

/** Kinds whose objects are made when somebody asks and stored nowhere: usage, telemetry, calls of commands. */
import {
  formatApiVersion,
  type KubeObject,
  type ResourceRow,
  type Schema,
  StatusError,
  type UserInfo,
  type WatchEvent,
} from '@skerry/api';
import { messageOf } from '@skerry/base';
import type { ApiResponse } from './contract.ts';
import { type Call, type Engine, groupResource, nameOf } from './engine.ts';
import { readObject, settlePlace } from './incoming.ts';
import { PARTIAL_METADATA_LIST, toPartialMetadata } from './metadata-form.ts';
import type { ServedKind } from './resource-table.ts';
import { respondJson } from './respond.ts';
import { selectionOf } from './selection.ts';
import { badRequest, methodNotSupported, notFound } from './statuses.ts';
import { renderTable } from './table-form.ts';
import { parseWriteOptions } from './write-options.ts';

/** Which objects somebody wants to see; the server has authorized it. */
export interface VirtualRead {
  /** Undefined: all namespaces, or a kind that has none. */
  readonly namespace?: string;
  readonly name?: string;
  /** Whether an object is wanted, by its labels and fields: to be asked before its making costs anything. */
  readonly matches: (object: KubeObject) => boolean;
  readonly signal: AbortSignal;
}

export interface VirtualKind {
  readonly row: ResourceRow;
  /** What OpenAPI says of it. */
  readonly schema: Schema;
  /** In any order. An object that cannot be made is left out. */
  readonly read: (read: VirtualRead) => Promise<readonly KubeObject[]>;
  /** For kinds with the verb `watch`: what there is as ADDED, then what happens. Begins anew each time, and knows no revisions. */
  readonly watch?: (read: VirtualRead) => AsyncIterable<WatchEvent>;
  /** For kinds with the verb `create`, which ask for something to be done: the answer is the object with what came of it. */
  readonly create?: (asked: VirtualCreate) => Promise<KubeObject>;
}

export interface VirtualCreate {
  /** Of the structure that the schema says, in the namespace of the request. */
  readonly object: KubeObject;
  /** Who asks; the server has authorized it. */
  readonly user: UserInfo;
  readonly signal: AbortSignal;
}

/** To be put into a ResourceTable: discovery, OpenAPI, authorization and Tables follow from the row as for every kind. */
export function virtualKind(kind: VirtualKind): ServedKind {
  return { ...kind, isCustom: false, storageVersion: kind.row.gvr.version };
}

export async function readVirtual(
  engine: Engine,
  call: Call,
  read: NonNullable<ServedKind['read']>,
): Promise<ApiResponse> {
  const { kind, route } = call;
  const isServed = route.subresource === undefined && (READS.has(route.verb) || isCreate(call));
  if (!isServed || !kind.row.verbs.some((verb) => verb === route.verb))
    throw methodNotSupported(groupResource(kind), route.verb);
  if (route.verb === 'watch') return respondWatch(engine, call);
  if (route.verb === 'create') return createVirtual(engine, call);
  const objects = await read(readOf(call));
  return route.verb === 'list' ? respondList(engine, call, objects) : respondOne(engine, call, objects[0]);
}

const READS: ReadonlySet<string> = new Set(['get', 'list', 'watch']);

function isCreate({ route, kind }: Call): boolean {
  return route.verb === 'create' && route.name === undefined && kind.create !== undefined;
}

async function createVirtual(engine: Engine, call: Call): Promise<ApiResponse> {
  const { kind, request, user } = call;
  const { create } = kind;
  if (create === undefined) throw methodNotSupported(groupResource(kind), 'create');
  const { fieldValidation, dryRun } = parseWriteOptions(request, 'CreateOptions');
  // What is asked for is done elsewhere, where nobody only tries.
  if (dryRun) throw badRequest('there is no dry run of this kind');
  const object = readObject(engine, call, fieldValidation);
  settlePlace(call, object);
  const { signal } = request;
  return respondJson(201, inForm(engine, call, await create({ object, user, signal })), call.wanted);
}

function readOf(call: Call): VirtualRead {
  const { namespace, name, matches = () => true } = selectionOf(call);
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    matches,
    signal: call.request.signal,
  };
}

function respondWatch(engine: Engine, call: Call): ApiResponse {
  const { watch } = call.kind;
  if (watch === undefined) throw methodNotSupported(groupResource(call.kind), 'watch');
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-cache, private' };
  return { status: 200, headers, body: linesOf(engine, call, watch(readOf(call))) };
}

/** One JSON object a line; what goes wrong on the way is the last of them. */
async function* linesOf(engine: Engine, call: Call, events: AsyncIterable<WatchEvent>): AsyncGenerator<string> {
  try {
    for await (const { type, object } of events) yield eventLine(type, inForm(engine, call, object));
  } catch (error) {
    if (call.request.signal.aborted) return;
    const failure = error instanceof StatusError ? error : new StatusError(500, 'InternalError', messageOf(error));
    yield eventLine('ERROR', failure.status);
  }
}

function eventLine(type: string, object: unknown): string {
  return `${JSON.stringify({ type, object })}\n`;
}

function inForm(engine: Engine, call: Call, object: KubeObject): unknown {
  switch (call.wanted.form) {
    case 'object':
      return object;
    case 'metadata':
      return toPartialMetadata(object);
    case 'table':
      return renderTable(engine, call, [object], {});
  }
}

function respondOne(engine: Engine, call: Call, object: KubeObject | undefined): ApiResponse {
  if (object === undefined) throw notFound(groupResource(call.kind), nameOf(call.route));
  return respondJson(200, inForm(engine, call, object), call.wanted);
}

function respondList(engine: Engine, call: Call, unsorted: readonly KubeObject[]): ApiResponse {
  const items = unsorted.toSorted((one, other) => (placeOf(one) < placeOf(other) ? -1 : 1));
  const { listKind, gvr } = call.kind.row;
  switch (call.wanted.form) {
    case 'object':
      return respondJson(200, { kind: listKind, apiVersion: formatApiVersion(gvr), metadata: {}, items }, call.wanted);
    case 'metadata':
      return respondJson(
        200,
        { ...PARTIAL_METADATA_LIST, metadata: {}, items: items.map(toPartialMetadata) },
        call.wanted,
      );
    case 'table':
      return respondJson(200, renderTable(engine, call, items, {}), call.wanted);
  }
}

function placeOf({ metadata: { namespace = '', name = '' } }: KubeObject): string {
  return `${namespace}/${name}`;
}

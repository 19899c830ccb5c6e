/** Kinds whose objects are made when somebody asks and stored nowhere: usage, telemetry. They are read, never written or watched. */
import type { KubeObject, ResourceRow, Schema } from '@skerry/api';
import { formatApiVersion } from '@skerry/api';
import type { ApiResponse } from './contract.ts';
import { type Call, type Engine, groupResource, nameOf } from './engine.ts';
import { PARTIAL_METADATA_LIST, toPartialMetadata } from './metadata-form.ts';
import type { ServedKind } from './resource-table.ts';
import { respondJson } from './respond.ts';
import { selectionOf } from './selection.ts';
import { methodNotSupported, notFound } from './statuses.ts';
import { renderTable } from './table-form.ts';

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
  const { kind, route, request } = call;
  const isRead = route.subresource === undefined && (route.verb === 'get' || route.verb === 'list');
  if (!isRead || !kind.row.verbs.includes(route.verb)) throw methodNotSupported(groupResource(kind), route.verb);
  const { namespace, name, matches = () => true } = selectionOf(call);
  const objects = await read({
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    matches,
    signal: request.signal,
  });
  return route.verb === 'list' ? respondList(engine, call, objects) : respondOne(engine, call, objects[0]);
}

function respondOne(engine: Engine, call: Call, object: KubeObject | undefined): ApiResponse {
  if (object === undefined) throw notFound(groupResource(call.kind), nameOf(call.route));
  switch (call.wanted.form) {
    case 'object':
      return respondJson(200, object, call.wanted);
    case 'metadata':
      return respondJson(200, toPartialMetadata(object), call.wanted);
    case 'table':
      return respondJson(200, renderTable(engine, call, [object], {}), call.wanted);
  }
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

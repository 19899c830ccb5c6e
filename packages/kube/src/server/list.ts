/** GET of a collection: stored bytes joined, parsed only for a selector, a Table or a metadata list. */
import { formatApiVersion, isStatus, type KubeObject, type StatusError } from '@skerry/api';
import type { ListResult, Store, StoredObject } from '../store/contract.ts';
import type { ApiResponse } from './contract.ts';
import { type Call, type Engine, groupResource, viewOf } from './engine.ts';
import { encodeContinue, type ListQuery, parseListQuery } from './list-options.ts';
import { PARTIAL_METADATA_LIST, toPartialMetadata } from './metadata-form.ts';
import { toServedJson, toServedObject } from './object-text.ts';
import { respondJson, respondText } from './respond.ts';
import { type Selection, selectionOf } from './selection.ts';
import { expired, methodNotSupported, revisionTooLarge } from './statuses.ts';
import { renderTable } from './table-form.ts';

/** What one list shows. */
export interface Page {
  readonly items: readonly StoredObject[];
  readonly revision: number;
  /** The key after which the next page begins; undefined when this is the last. */
  readonly after?: string;
  /** Unknown with a selector. */
  readonly remaining?: number;
}

/** How many stored objects are read at a time while a selector looks for matches. */
const SCAN_CHUNK = 1000;

export function list(engine: Engine, call: Call): ApiResponse {
  if (!call.kind.row.verbs.includes('list')) throw methodNotSupported(groupResource(call.kind), 'list');
  const selection = selectionOf(call);
  const query = parseListQuery(call.request.query);
  return respondPage(engine, call, readPage(engine, selection, query));
}

export function readPage(engine: Engine, selection: Selection, query: ListQuery): Page {
  const { at, continueToken } = query;
  const current = engine.store.revision;
  if ((at.type === 'notOlderThan' || at.type === 'exact') && at.revision > current) {
    throw revisionTooLarge(at.revision, current);
  }
  const revision = at.type === 'exact' ? at.revision : undefined;
  const limit = at.type === 'any' ? 0 : query.limit;
  const after = continueToken === undefined ? undefined : `${selection.prefix}${continueToken.after}`;
  try {
    return scan(engine, selection, { revision, limit, after });
  } catch (error) {
    if (!isStatus(error, 'Expired')) throw error;
    throw continueToken === undefined
      ? expired('The resourceVersion for the provided list is too old.')
      : expiredToken(continueToken.after);
  }
}

interface Scan {
  readonly revision: number | undefined;
  readonly limit: number;
  readonly after: string | undefined;
}

function scan({ store }: Engine, selection: Selection, { revision, limit, after }: Scan): Page {
  const { prefix, key, matches } = selection;
  if (key !== undefined && revision === undefined) return readOne(store, key, matches);
  const found: StoredObject[] = [];
  let shown = revision;
  let last = after;
  for (;;) {
    const chunk = matches === undefined && key === undefined ? limit : limit === 0 ? 0 : SCAN_CHUNK;
    const result: ListResult = store.list(prefix, {
      ...(shown === undefined ? {} : { revision: shown }),
      ...(last === undefined ? {} : { after: last }),
      ...(chunk === 0 ? {} : { limit: chunk }),
    });
    shown = result.revision;
    if (matches === undefined && key === undefined) return pageOf(result, prefix, limit);
    for (const item of result.items) {
      last = item.key;
      if (key !== undefined && item.key !== key) continue;
      if (matches !== undefined && !matches(toServedObject(item))) continue;
      found.push(item);
      if (limit > 0 && found.length === limit)
        return { items: found, revision: shown, after: last.slice(prefix.length) };
    }
    if (result.remaining === 0) return { items: found, revision: shown };
  }
}

/** A list that names its object is a get. */
function readOne(store: Store, key: string, matches: Selection['matches']): Page {
  const item = store.get(key);
  const isShown = item !== undefined && (matches === undefined || matches(toServedObject(item)));
  return { items: isShown ? [item] : [], revision: store.revision };
}

function pageOf({ items, revision, remaining }: ListResult, prefix: string, limit: number): Page {
  const last = items.at(-1);
  if (limit === 0 || remaining === 0 || last === undefined) return { items, revision };
  return { items, revision, after: last.key.slice(prefix.length), remaining };
}

/** 410 with a token that goes on at the latest revision, for clients that prefer a torn list to starting again. */
function expiredToken(after: string): StatusError {
  const text =
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.';
  const error = expired(text);
  error.status.metadata['continue'] = encodeContinue({ revision: -1, after });
  return error;
}

function respondPage(engine: Engine, call: Call, page: Page): ApiResponse {
  const { kind, wanted } = call;
  const view = viewOf(kind);
  switch (wanted.form) {
    case 'object':
      return respondText(200, listText(call, page), wanted);
    case 'metadata': {
      const items = page.items.map((item) => toPartialMetadata(toServedObject(item, view)));
      return respondJson(200, { ...PARTIAL_METADATA_LIST, metadata: listMeta(page), items }, wanted);
    }
    case 'table': {
      const objects = page.items.map((item): KubeObject => toServedObject(item, view));
      return respondJson(200, renderTable(engine, call, objects, listMeta(page)), wanted);
    }
  }
}

export interface ListMeta {
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

function listMeta({ revision, after, remaining }: Page): ListMeta {
  return {
    resourceVersion: String(revision),
    ...(after === undefined ? {} : { continue: encodeContinue({ revision, after }) }),
    ...(remaining === undefined ? {} : { remainingItemCount: remaining }),
  };
}

/** The list as text, from stored text: nothing is parsed. */
export function listText({ kind }: Call, page: Page): string {
  const view = viewOf(kind);
  const { listKind, gvr } = kind.row;
  const head = JSON.stringify({ kind: listKind, apiVersion: formatApiVersion(gvr), metadata: listMeta(page) });
  const items = page.items.map((item) => toServedJson(item, view));
  return `${head.slice(0, -1)},"items":[${items.join(',')}]}`;
}

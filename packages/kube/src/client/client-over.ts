/** The one implementation of `Client`: Kubernetes' REST conventions over any transport. */
import { type Gvr, type KubeList, type KubeObject, type Ref, resourcePath, type WatchEvent } from '@skerry/api';
import type {
  Client,
  DeleteOptions,
  GetOptions,
  ListOptions,
  PatchOptions,
  WatchOptions,
  WriteOptions,
} from './contract.ts';
import { errors } from './errors.ts';
import { deleteBody, listQuery, patchContentType, patchQuery, watchQuery, writeQuery } from './query.ts';
import { statusErrorFrom, statusErrorOf } from './status-from.ts';
import { readAll, readLines } from './text.ts';
import type { Transport, WireRequest, WireResponse } from './transport.ts';

/** The largest body of one answer, in bytes: a list of everything a big cloud holds of one kind. */
export const MAX_RESPONSE_BYTES = 512 * 1024 * 1024;

/** The longest watch event, in bytes: an object at the store's limit with its managed fields, twice over. */
export const MAX_WATCH_LINE_BYTES = 8 * 1024 * 1024;

export function clientOver(transport: Transport): Client {
  const call = (request: RequestParts, options: { readonly signal?: AbortSignal } | undefined) =>
    callJson(transport, { ...request, streaming: false }, options?.signal);

  return {
    get: async <T extends KubeObject>(ref: Ref, options?: GetOptions) =>
      (await call({ method: 'GET', path: pathOf(ref, options?.subresource) }, options)) as T,

    list: async <T extends KubeObject>(gvr: Gvr, options: ListOptions = {}) => {
      const answer = await call(
        { method: 'GET', path: resourcePath(gvr, namespaceOf(options)), query: listQuery(options) },
        options,
      );
      return withItemTypes(answer as KubeList<T>);
    },

    watch: <T extends KubeObject>(gvr: Gvr, options: WatchOptions = {}) =>
      watchEvents<T>(transport, {
        method: 'GET',
        path: resourcePath(gvr, namespaceOf(options)),
        query: watchQuery(options),
        streaming: true,
        ...signalOf(options.signal),
      }),

    create: async <T extends KubeObject>(gvr: Gvr, object: T, options: WriteOptions = {}) => {
      const { namespace } = object.metadata;
      const path = resourcePath(gvr, {
        ...(namespace === undefined ? {} : { namespace }),
        ...subresourceOf(options),
      });
      return (await call({ method: 'POST', path, query: writeQuery(options), ...jsonBody(object) }, options)) as T;
    },

    createSubresource: async <T>(ref: Ref, subresource: string, body: object, options: WriteOptions = {}) =>
      (await call(
        { method: 'POST', path: pathOf(ref, subresource), query: writeQuery(options), ...jsonBody(body) },
        options,
      )) as T,

    update: async <T extends KubeObject>(gvr: Gvr, object: T, options: WriteOptions = {}) => {
      const { namespace, name = '' } = object.metadata;
      const path = resourcePath(gvr, {
        ...(namespace === undefined ? {} : { namespace }),
        name,
        ...subresourceOf(options),
      });
      return (await call({ method: 'PUT', path, query: writeQuery(options), ...jsonBody(object) }, options)) as T;
    },

    patch: async <T extends KubeObject>(ref: Ref, patch: unknown, options: PatchOptions) =>
      (await call(
        {
          method: 'PATCH',
          path: pathOf(ref, options.subresource),
          query: patchQuery(options),
          body: JSON.stringify(patch),
          contentType: patchContentType[options.type],
        },
        options,
      )) as T,

    delete: async (ref: Ref, options: DeleteOptions = {}) => {
      await call({ method: 'DELETE', path: pathOf(ref), ...optionalBody(deleteBody(options)) }, options);
    },

    deleteCollection: async (gvr: Gvr, options: ListOptions & DeleteOptions = {}) => {
      // The resourceVersion is the list's here, not a precondition on each object.
      const { resourceVersion: _, ...preconditions } = options;
      await call(
        {
          method: 'DELETE',
          path: resourcePath(gvr, namespaceOf(options)),
          query: listQuery(options),
          ...optionalBody(deleteBody(preconditions)),
        },
        options,
      );
    },
  };
}

interface RequestParts {
  readonly method: WireRequest['method'];
  readonly path: string;
  readonly query?: URLSearchParams;
  readonly body?: string;
  readonly contentType?: string;
}

async function callJson(
  transport: Transport,
  parts: RequestParts & { readonly streaming: boolean },
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const request: WireRequest = { query: new URLSearchParams(), ...parts, ...signalOf(signal) };
  const response = await transport(request);
  const text = await readAll(response.body, MAX_RESPONSE_BYTES, () =>
    errors.RESPONSE_TOO_LARGE({ method: request.method, path: request.path, limit: MAX_RESPONSE_BYTES }),
  );
  if (response.status >= 400) throw statusErrorFrom(response.status, text);
  return parseBody(request, text);
}

function parseBody(request: WireRequest, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw errors.BAD_RESPONSE({ method: request.method, path: request.path }, { cause });
  }
}

async function* watchEvents<T extends KubeObject>(
  transport: Transport,
  request: WireRequest,
): AsyncGenerator<WatchEvent<T>> {
  const response = await transport(request);
  await refuseFailure(request, response);
  const lines = readLines(response.body, MAX_WATCH_LINE_BYTES, () =>
    errors.LINE_TOO_LONG({ path: request.path, limit: MAX_WATCH_LINE_BYTES }),
  );
  for await (const line of lines) {
    const event = parseBody(request, line) as WatchEvent<T> | { readonly type: 'ERROR'; readonly object: unknown };
    if (event.type !== 'ERROR') yield event;
    else throw statusErrorOf(event.object) ?? errors.BAD_RESPONSE({ method: request.method, path: request.path });
  }
}

async function refuseFailure(request: WireRequest, response: WireResponse): Promise<void> {
  if (response.status < 400) return;
  const text = await readAll(response.body, MAX_WATCH_LINE_BYTES, () =>
    errors.RESPONSE_TOO_LARGE({ method: request.method, path: request.path, limit: MAX_WATCH_LINE_BYTES }),
  );
  throw statusErrorFrom(response.status, text);
}

// Lists of built-in kinds leave apiVersion and kind out of their items; whoever holds one object must know what it is.
function withItemTypes<T extends KubeObject>(list: KubeList<T>): KubeList<T> {
  const kind = list.kind.replace(/List$/, '');
  for (const item of list.items ?? []) {
    item.apiVersion ??= list.apiVersion;
    item.kind ??= kind;
  }
  list.items ??= [];
  return list;
}

function pathOf(ref: Ref, subresource?: string): string {
  return resourcePath(ref.gvr, {
    ...(ref.namespace === undefined ? {} : { namespace: ref.namespace }),
    name: ref.name,
    ...(subresource === undefined ? {} : { subresource }),
  });
}

function namespaceOf(options: { readonly namespace?: string }): { namespace?: string } {
  return options.namespace === undefined ? {} : { namespace: options.namespace };
}

function subresourceOf(options: WriteOptions): { subresource?: string } {
  return options.subresource === undefined ? {} : { subresource: options.subresource };
}

function signalOf(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

function jsonBody(body: object): { body: string; contentType: string } {
  return { body: JSON.stringify(body), contentType: 'application/json' };
}

function optionalBody(body: object | undefined): { body?: string; contentType?: string } {
  return body === undefined ? {} : jsonBody(body);
}

/** The API server: one door, `handle`, for sockets, the in-process client and the edge alike. */
import { type AuditLog, type Authorizer, isStatus, type StatusError } from '@skerry/api';
import { type Clock, type Logger, type RandomBytes, secureRandom } from '@skerry/base';
import type { Store } from '../store/contract.ts';
import type { UpgradeTarget } from '../streaming/contract.ts';
import { authorize } from './authorize.ts';
import { builtinKinds } from './builtin-kinds.ts';
import type { ApiRequest, ApiResponse } from './contract.ts';
import { dispatch } from './dispatch.ts';
import type { AdmissionStep, Call, Engine } from './engine.ts';
import { negotiate } from './negotiate.ts';
import { ResourceTable } from './resource-table.ts';
import { respondError, respondPlain, withWarnings } from './respond.ts';
import { parseRoute, type ResourceRoute, type Route } from './route.ts';
import { internalError, methodNotAllowed, noSuchRoute } from './statuses.ts';
import { Watches } from './watch.ts';

export interface ApiServerOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly authorizer: Authorizer;
  readonly audit?: AuditLog;
  readonly random?: RandomBytes;
  readonly table?: ResourceTable;
  readonly admission?: readonly AdmissionStep[];
  /** Turns YAML into a value; without it only JSON is taken. */
  readonly parseYaml?: (text: string) => unknown;
}

export interface ApiServer {
  readonly table: ResourceTable;
  /** Never rejects: what goes wrong is an answer. */
  handle(request: ApiRequest): Promise<ApiResponse>;
  /** What a connection that asks for an upgrade is to be joined with, or the answer that refuses it. Never rejects. */
  planUpgrade(request: ApiRequest): Promise<UpgradeTarget | ApiResponse>;
  /** Ends every watch. The store stays open; it belongs to whoever opened it. */
  close(): void;
}

export function createApiServer(options: ApiServerOptions): ApiServer {
  const table = options.table ?? new ResourceTable(builtinKinds());
  const engine: Engine = {
    store: options.store,
    clock: options.clock,
    log: options.log,
    random: options.random ?? secureRandom,
    table,
    authorizer: options.authorizer,
    admission: options.admission ?? [],
    ...(options.parseYaml === undefined ? {} : { parseYaml: options.parseYaml }),
  };
  const watches = new Watches(engine);
  return {
    table,
    handle: async (request) => {
      try {
        const route = parseRoute(request);
        authorize(engine.authorizer, request, route);
        return await answer(engine, watches, request, route);
      } catch (error) {
        return respondError(toStatusError(engine, error));
      }
    },
    planUpgrade: () => Promise.resolve(respondError(methodNotAllowed())),
    close: () => watches.close(),
  };
}

async function answer(engine: Engine, watches: Watches, request: ApiRequest, route: Route): Promise<ApiResponse> {
  if (route.type === 'path') return respondPlain(404, '404 page not found\n');
  const kind = engine.table.find(route.group, route.version, route.resource);
  if (kind === undefined) return noSuchResource(engine, route);
  const call: Call = {
    request,
    route,
    kind,
    user: request.user,
    wanted: negotiate(request.headers['accept'], request.query),
    warnings: kind.deprecation === undefined ? [] : [kind.deprecation],
  };
  return withWarnings(await dispatch(engine, watches, call), call.warnings);
}

function noSuchResource({ table }: Engine, { group, version }: ResourceRoute): ApiResponse {
  if (table.hasGroupVersion(group, version)) throw noSuchRoute();
  return respondPlain(404, '404 page not found\n');
}

function toStatusError({ log }: Engine, error: unknown): StatusError {
  if (isStatus(error)) return error;
  log.error({ error }, 'request failed');
  return internalError(error);
}

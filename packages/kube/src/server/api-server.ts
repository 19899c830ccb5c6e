/** The API server: one door, `handle`, for sockets, the in-process client and the edge alike. */
import { type AuditLog, type Authorizer, isStatus, type Sealer, type StatusError } from '@skerry/api';
import { type Clock, type Logger, type RandomBytes, secureRandom } from '@skerry/base';
import type { Store } from '../store/contract.ts';
import type { NodeDialer, UpgradeTarget } from '../streaming/contract.ts';
import type { AccessHooks } from './access-hooks.ts';
import { authorize } from './authorize.ts';
import { builtinKinds } from './builtin-kinds.ts';
import type { ApiRequest, ApiResponse } from './contract.ts';
import { dispatch } from './dispatch.ts';
import type { AdmissionStep, Call, Engine } from './engine.ts';
import { negotiate } from './negotiate.ts';
import { ResourceTable } from './resource-table.ts';
import { respondError, respondPlain, withWarnings } from './respond.ts';
import { parseRoute, type ResourceRoute, type Route } from './route.ts';
import { sealedStore } from './sealed-store.ts';
import { internalError, noSuchRoute } from './statuses.ts';
import { planUpgrade } from './upgrade.ts';
import { Watches } from './watch.ts';

export interface ApiServerOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly authorizer: Authorizer;
  readonly access?: AccessHooks;
  readonly audit?: AuditLog;
  /** Seals Secrets before the store sees them. */
  readonly sealer?: Sealer;
  /** Reaches the programs on nodes: logs, exec, attach, port-forward. */
  readonly dialer?: NodeDialer;
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
    store: options.sealer === undefined ? options.store : sealedStore(options.store, options.sealer),
    clock: options.clock,
    log: options.log,
    random: options.random ?? secureRandom,
    table,
    authorizer: options.authorizer,
    admission: options.admission ?? [],
    access: options.access ?? {},
    ...(options.dialer === undefined ? {} : { dialer: options.dialer }),
    ...(options.parseYaml === undefined ? {} : { parseYaml: options.parseYaml }),
  };
  const watches = new Watches(engine);
  return {
    table,
    handle: (request) => settle(engine, request, (route) => answer(engine, watches, request, route)),
    planUpgrade: (request) => settle(engine, request, (route) => planOf(engine, watches, request, route)),
    close: () => watches.close(),
  };
}

/** Authorizes a request, has it answered, and turns whatever is thrown into an answer. */
async function settle<T>(
  engine: Engine,
  request: ApiRequest,
  answering: (route: Route) => Promise<T | ApiResponse>,
): Promise<T | ApiResponse> {
  try {
    const route = parseRoute(request);
    authorize(engine.authorizer, request, route);
    return await answering(route);
  } catch (error) {
    return respondError(toStatusError(engine, error));
  }
}

async function answer(engine: Engine, watches: Watches, request: ApiRequest, route: Route): Promise<ApiResponse> {
  if (route.type === 'path') return respondPlain(404, '404 page not found\n');
  const call = callFor(engine, request, route);
  if (call === undefined) return noSuchResource(engine, route);
  const response = await dispatch(engine, watches, call);
  // Reads see writes that are not on disk yet; nobody may be shown what a crash could take back.
  await engine.store.durable?.();
  return withWarnings(response, call.warnings);
}

async function planOf(
  engine: Engine,
  watches: Watches,
  request: ApiRequest,
  route: Route,
): Promise<UpgradeTarget | ApiResponse> {
  const call = route.type === 'path' ? undefined : callFor(engine, request, route);
  if (call === undefined) throw noSuchRoute();
  return planUpgrade(engine, watches, call);
}

function callFor({ table }: Engine, request: ApiRequest, route: ResourceRoute): Call | undefined {
  const kind = table.find(route.group, route.version, route.resource);
  if (kind === undefined) return undefined;
  return {
    request,
    route,
    kind,
    user: request.user,
    wanted: negotiate(request.headers['accept'], request.query),
    warnings: kind.deprecation === undefined ? [] : [kind.deprecation],
  };
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

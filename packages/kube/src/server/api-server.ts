/** The API server: one door, `handle`, for sockets, the in-process client and the edge alike. */
import { type AuditLog, type Authorizer, isStatus, type ResourceRow, type Sealer, type StatusError } from '@skerry/api';
import type { CustomRules } from '@skerry/api/crd';
import { type Clock, hasCode, type Logger, type RandomBytes, secureRandom } from '@skerry/base';
import type { Store } from '../store/contract.ts';
import type { NodeDialer, UpgradeTarget } from '../streaming/contract.ts';
import type { AccessHooks } from './access-hooks.ts';
import { BUILTIN_ADMISSION } from './admission/index.ts';
import type { Reviewer } from './admission/review/contract.ts';
import { authorize } from './authorize.ts';
import type { ParseYaml } from './body.ts';
import { builtinKinds } from './builtin-kinds.ts';
import type { ApiRequest, ApiResponse } from './contract.ts';
import { followDefinitions } from './definitions.ts';
import { dispatch } from './dispatch.ts';
import type { AdmissionStep, Call, Engine } from './engine.ts';
import { ImpersonatedRequest } from './impersonated-request.ts';
import { negotiate } from './negotiate.ts';
import { answerPath, type ExtraPath, type HealthCheck, notFoundPath, type PathServices } from './paths.ts';
import { ForwardedWrite, type ReplicaHooks } from './replica-writes.ts';
import { auditRequest, RequestMetrics } from './request-log.ts';
import { ResourceTable } from './resource-table.ts';
import { respondError, withWarnings } from './respond.ts';
import { parseRoute, type ResourceRoute, type Route } from './route.ts';
import { sealedStore } from './sealed-store.ts';
import { badRequest, internalError, noSuchRoute, notStored } from './statuses.ts';
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
  /** Steps after the built-in ones. */
  readonly admission?: readonly AdmissionStep[];
  /** Policies and webhooks, in the order in which they are asked. */
  readonly reviewers?: readonly Reviewer[];
  /** Reads YAML; without it only JSON is taken. */
  readonly parseYaml?: ParseYaml;
  /** Evaluates the rules of custom resources. */
  readonly rules?: CustomRules;
  /** Makes this the server of an edge: its store is a replica, and writes that are not its own go to the cloud. */
  readonly replica?: ReplicaHooks;
  /** What /readyz and /livez look at. */
  readonly checks?: readonly HealthCheck[];
  readonly extraPaths?: readonly ExtraPath[];
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
    // What a replica may not write it does not write, and what it may, the cloud admits once more.
    admission: [...(options.replica === undefined ? BUILTIN_ADMISSION : []), ...(options.admission ?? [])],
    reviewers: options.reviewers ?? [],
    access: options.access ?? {},
    ...(options.replica === undefined ? {} : { replica: options.replica }),
    ...(options.dialer === undefined ? {} : { dialer: options.dialer }),
    ...(options.parseYaml === undefined ? {} : { parseYaml: options.parseYaml }),
    ...(options.rules === undefined ? {} : { rules: options.rules }),
  };
  const watches = new Watches(engine);
  const definitions = followDefinitions(engine, { cleansUp: options.replica === undefined });
  const following = engine.reviewers.map((reviewer) => reviewer.follow?.(engine));
  const metrics = new RequestMetrics();
  const server: Server = {
    engine,
    watches,
    metrics,
    audit: options.audit,
    paths: {
      extraPaths: options.extraPaths ?? [],
      checks: options.checks ?? [],
      renderMetrics: () =>
        metrics.render({ apiserver_watchers: watches.size, apiserver_revision: engine.store.revision }),
    },
  };
  return {
    table,
    handle: (request) => settle(server, request, (...asked) => answer(server, ...asked)),
    planUpgrade: (request) => settle(server, request, (...asked) => planOf(server, ...asked)),
    close: () => {
      definitions.close();
      for (const one of following) one?.[Symbol.dispose]();
      watches.close();
    },
  };
}

interface Server {
  readonly engine: Engine;
  readonly watches: Watches;
  readonly metrics: RequestMetrics;
  readonly audit: AuditLog | undefined;
  readonly paths: PathServices;
}

type Annotations = Map<string, string>;

type Answering<T> = (request: ApiRequest, route: Route, annotations: Annotations) => Promise<T | ApiResponse>;

/** Authorizes a request, has it answered, turns whatever is thrown into an answer, and notes what became of it. */
async function settle<T extends object>(
  server: Server,
  request: ApiRequest,
  answering: Answering<T>,
): Promise<T | ApiResponse> {
  const { engine, metrics, audit } = server;
  const start = engine.clock.monotonic();
  const annotations: Annotations = new Map();
  let route: Route | undefined;
  let result: T | ApiResponse;
  try {
    route = parseRoute(request);
    const asked = actingAs(engine, request);
    authorize(engine.authorizer, asked, route);
    result = await answering(asked, route, annotations);
  } catch (error) {
    result = await answerThrown(engine, request, error);
  }
  const code = 'status' in result ? result.status : SWITCHING_PROTOCOLS;
  metrics.observe(route, code, (engine.clock.monotonic() - start) / 1000);
  if (audit !== undefined) auditRequest(audit, engine.clock, request, { route, code, annotations });
  return result;
}

const SWITCHING_PROTOCOLS = 101;

async function answerThrown(engine: Engine, request: ApiRequest, error: unknown): Promise<ApiResponse> {
  if (!(error instanceof ForwardedWrite) || engine.replica === undefined)
    return respondError(toStatusError(engine, error));
  try {
    return await engine.replica.forward(request);
  } catch (failure) {
    return respondError(toStatusError(engine, failure));
  }
}

/** The request as the user that it impersonates. Who asks to act as somebody else is never answered as themselves. */
function actingAs({ access }: Engine, request: ApiRequest): ApiRequest {
  if (!impersonates(request)) return request;
  if (access.impersonate === undefined) throw badRequest('this server does not take impersonation headers');
  return new ImpersonatedRequest(request, access.impersonate(request.user, request.headers));
}

function impersonates({ headers }: ApiRequest): boolean {
  for (const name in headers) if (name.startsWith('impersonate-')) return true;
  return false;
}

async function answer(
  { engine, watches, paths }: Server,
  request: ApiRequest,
  route: Route,
  annotations: Annotations,
): Promise<ApiResponse> {
  if (route.type === 'path') return answerPath(engine, paths, request);
  const call = callFor(engine, request, route, annotations);
  if (call === undefined) return noSuchResource(engine, route);
  const response = await dispatch(engine, watches, call);
  // Reads see writes that are not on disk yet; nobody may be shown what a crash could take back.
  await engine.store.durable?.();
  return withWarnings(response, call.warnings);
}

async function planOf(
  { engine, watches }: Server,
  request: ApiRequest,
  route: Route,
  annotations: Annotations,
): Promise<UpgradeTarget | ApiResponse> {
  const call = route.type === 'path' ? undefined : callFor(engine, request, route, annotations);
  if (call === undefined) throw noSuchRoute();
  return planUpgrade(engine, watches, call);
}

function callFor(
  { table, clock }: Engine,
  request: ApiRequest,
  route: ResourceRoute,
  annotations: Annotations,
): Call | undefined {
  const kind = table.find(route.group, route.version, route.resource);
  if (kind === undefined) return undefined;
  if (isInWrongPlace(kind.row, route)) throw noSuchRoute();
  return {
    request,
    route,
    kind,
    user: request.user,
    wanted: negotiate(request.headers['accept'], request.query),
    warnings: kind.deprecation === undefined ? [] : [kind.deprecation],
    receivedAt: clock.now(),
    answers: new Map(),
    annotations,
  };
}

// Invariant: what has no namespace is never reached by way of one. It would be authorized by the roles of that namespace.
function isInWrongPlace({ gvr, namespaced }: ResourceRow, { namespace }: ResourceRoute): boolean {
  const isNamespace = gvr.group === '' && gvr.resource === 'namespaces';
  return !namespaced && namespace !== undefined && !isNamespace;
}

function noSuchResource({ table }: Engine, { group, version }: ResourceRoute): ApiResponse {
  if (table.hasGroupVersion(group, version)) throw noSuchRoute();
  return notFoundPath();
}

function toStatusError({ log }: Engine, error: unknown): StatusError {
  if (isStatus(error)) return error;
  log.error({ error }, 'request failed');
  return isStoreDown(error) ? notStored(error) : internalError(error);
}

/** A full disk or a server that stops says nothing about the request: the same again may well succeed. */
function isStoreDown(error: unknown): boolean {
  return hasCode(error, 'STORE_COMMIT') || hasCode(error, 'STORE_CLOSED');
}

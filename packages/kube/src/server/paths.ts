/** Everything that is not a resource: health, version, metrics, discovery, documents. */
import type { ApiRequest, ApiResponse } from './contract.ts';
import { answerDiscovery } from './discovery.ts';
import type { Engine } from './engine.ts';
import { respondJson, respondPlain } from './respond.ts';
import { methodNotAllowed } from './statuses.ts';
import { SERVER_VERSION } from './version.ts';

/** A path, or everything below one, that the owner of the server answers; authorized as a path. */
export interface ExtraPath {
  /** `/openid/v1/jwks`, or `/custom/` for all that begins with it. */
  readonly path: string;
  readonly handle: (request: ApiRequest) => Promise<ApiResponse> | ApiResponse;
}

/** Something that must work for the server to be ready. */
export interface HealthCheck {
  readonly name: string;
  readonly isHealthy: () => boolean;
}

export interface PathServices {
  readonly extraPaths: readonly ExtraPath[];
  readonly checks: readonly HealthCheck[];
  readonly renderMetrics: () => string;
}

const HEALTH = /^\/(healthz|livez|readyz)(?:\/(.*))?$/;

export async function answerPath(engine: Engine, services: PathServices, request: ApiRequest): Promise<ApiResponse> {
  const path = request.path.length > 1 ? request.path.replace(/\/+$/, '') : '/';
  const extra = services.extraPaths.find(
    ({ path: at }) => path === at || (at.endsWith('/') && request.path.startsWith(at)),
  );
  if (extra !== undefined) return extra.handle(request);
  if (request.method !== 'GET' && request.method !== 'HEAD') throw methodNotAllowed();
  const health = HEALTH.exec(path);
  if (health !== null) return answerHealth(services, { endpoint: health[1] ?? '', only: health[2] }, request.query);
  if (path === '/version') return respondJson(200, SERVER_VERSION);
  if (path === '/metrics') return respondMetrics(services);
  if (path === '/') return respondJson(200, { paths: rootPaths(engine) });
  return answerDiscovery(engine, request, path) ?? notFoundPath();
}

export function notFoundPath(): ApiResponse {
  return respondPlain(404, '404 page not found\n');
}

interface AskedHealth {
  readonly endpoint: string;
  /** One check alone. */
  readonly only: string | undefined;
}

/** `?verbose` lists the checks, `?exclude=NAME` leaves some out. */
function answerHealth({ checks }: PathServices, { endpoint, only }: AskedHealth, query: URLSearchParams): ApiResponse {
  const all: readonly HealthCheck[] = [{ name: 'ping', isHealthy: () => true }, ...checks];
  const asked = only === undefined || only === '' ? all : all.filter(({ name }) => name === only);
  if (asked.length === 0) return notFoundPath();
  const excluded = new Set(query.getAll('exclude'));
  const results = asked.map(({ name, isHealthy }) => healthOf(name, excluded.has(name) || isHealthy(), excluded));
  const unknown = [...excluded].filter((name) => !asked.some((check) => check.name === name));
  const warnings = unknown.map((name) => `warn: some health checks cannot be excluded: no matches for "${name}"`);
  const isFine = results.every(({ ok }) => ok);
  if (isFine && !query.has('verbose')) return respondPlain(200, 'ok');
  const verdict = `${endpoint} check ${isFine ? 'passed' : 'failed'}`;
  return respondPlain(isFine ? 200 : 500, `${[...results.map(({ line }) => line), ...warnings, verdict].join('\n')}\n`);
}

function healthOf(name: string, ok: boolean, excluded: ReadonlySet<string>): { ok: boolean; line: string } {
  if (excluded.has(name)) return { ok, line: `[+]${name} excluded: ok` };
  return { ok, line: ok ? `[+]${name} ok` : `[-]${name} failed: reason withheld` };
}

function respondMetrics({ renderMetrics }: PathServices): ApiResponse {
  const headers = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' };
  return { status: 200, headers, body: renderMetrics() };
}

const FIXED_PATHS = ['/healthz', '/livez', '/metrics', '/openapi/v2', '/openapi/v3', '/readyz', '/version'];

function rootPaths({ table }: Engine): string[] {
  const groups = new Set(['/api', '/api/v1', '/apis']);
  for (const { row } of table.all()) {
    const { group, version } = row.gvr;
    if (group !== '') groups.add(`/apis/${group}`).add(`/apis/${group}/${version}`);
  }
  return [...groups, ...FIXED_PATHS].sort();
}

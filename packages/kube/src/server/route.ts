/** The one parser of URL paths: what a request asks for, in the words of Kubernetes' RequestInfo. */
import type { ApiRequest } from './contract.ts';
import { badRequest } from './statuses.ts';

/** A request for objects of a resource. */
export interface ResourceRoute {
  readonly type: 'resource';
  /** As RBAC names it: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`. */
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
  /** What follows a `proxy` subresource. */
  readonly rest?: string;
}

/** Anything else: discovery, health, documents. */
export interface PathRoute {
  readonly type: 'path';
  readonly verb: string;
  readonly path: string;
}

export type Route = ResourceRoute | PathRoute;

/** The longest path that is looked at; names are at most 253 characters. */
const MAX_PATH_LENGTH = 4096;

// What may follow `namespaces/NAME` and still belongs to the Namespace itself.
const NAMESPACE_SUBRESOURCES = new Set(['status', 'finalize']);

export function parseRoute(request: Pick<ApiRequest, 'method' | 'path' | 'query'>): Route {
  const { path } = request;
  if (path.length > MAX_PATH_LENGTH) throw badRequest('the path is too long');
  const parts = path.split('/').filter((part) => part !== '');
  const place = splitGroupVersion(parts);
  if (place === undefined) return { type: 'path', verb: request.method.toLowerCase(), path };
  const located = locate(place.rest.map(decodeSegment));
  if (located === undefined) return { type: 'path', verb: request.method.toLowerCase(), path };
  const { isWatchPath, ...at } = located;
  return {
    type: 'resource',
    verb: verbOf(request, at.name !== undefined, isWatchPath),
    group: place.group,
    version: place.version,
    ...at,
  };
}

function splitGroupVersion(
  parts: readonly string[],
): { group: string; version: string; rest: readonly string[] } | undefined {
  if (parts[0] === 'api' && parts.length >= 3) return { group: '', version: parts[1] ?? '', rest: parts.slice(2) };
  if (parts[0] === 'apis' && parts.length >= 4) {
    return { group: parts[1] ?? '', version: parts[2] ?? '', rest: parts.slice(3) };
  }
  return undefined;
}

interface Location {
  readonly resource: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
  readonly rest?: string;
  readonly isWatchPath: boolean;
}

function locate(segments: readonly string[]): Location | undefined {
  const isWatchPath = segments[0] === 'watch' && segments.length > 1;
  const at = isWatchPath ? segments.slice(1) : segments;
  const [first, second, third] = at;
  if (first === undefined) return undefined;
  if (first !== 'namespaces' || second === undefined) return { ...named(first, at.slice(1)), isWatchPath };
  if (third === undefined || NAMESPACE_SUBRESOURCES.has(third)) {
    return { ...named(first, at.slice(1)), namespace: second, isWatchPath };
  }
  return { ...named(third, at.slice(3)), namespace: second, isWatchPath };
}

function named(resource: string, [name, subresource, ...rest]: readonly string[]): Omit<Location, 'isWatchPath'> {
  return {
    resource,
    ...(name === undefined ? {} : { name }),
    ...(subresource === undefined ? {} : { subresource }),
    ...(rest.length === 0 ? {} : { rest: rest.join('/') }),
  };
}

/** Store keys are joined with `/`, so no segment may hold one. */
function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment;
  let decoded: string;
  try {
    decoded = decodeURIComponent(segment);
  } catch (cause) {
    throw Object.assign(badRequest('the path is not valid percent-encoding'), { cause });
  }
  if (decoded.includes('/') || decoded.includes('\0'))
    throw badRequest(`invalid path segment ${JSON.stringify(decoded)}`);
  return decoded;
}

function verbOf(
  { method, query }: Pick<ApiRequest, 'method' | 'query'>,
  isNamed: boolean,
  isWatchPath: boolean,
): string {
  switch (method) {
    case 'GET':
    case 'HEAD': {
      const watch = query.get('watch');
      if (isWatchPath || watch === '1' || watch === 'true') return 'watch';
      return isNamed ? 'get' : 'list';
    }
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return isNamed ? 'delete' : 'deletecollection';
    case 'OPTIONS':
      return 'options';
  }
}

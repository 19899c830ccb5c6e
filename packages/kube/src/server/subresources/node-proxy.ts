/** GET nodes/NAME/proxy/PATH: the agent's own endpoints, for `kubectl get --raw` and scrapers. */
import type { NodeStreamRequest } from '../../streaming/contract.ts';
import type { ApiResponse } from '../contract.ts';
import { type Call, type Engine, find, groupResource, nameOf } from '../engine.ts';
import { methodNotAllowed, notFound, unavailable } from '../statuses.ts';
import { logOptions, messagesOf } from './log.ts';

export async function proxyToNode(engine: Engine, call: Call): Promise<ApiResponse> {
  if (call.route.verb !== 'get') throw methodNotAllowed();
  const node = nameOf(call.route).replace(/:\d+$/, '');
  if (find(engine, { ...call, route: { ...call.route, name: node } }) === undefined)
    throw notFound(groupResource(call.kind), node);
  if (engine.dialer === undefined) throw unavailable('this server does not reach nodes');
  const path = `/${call.route.rest ?? ''}`;
  const stream = await engine.dialer.open(node, requestFor(path, call), call.request.signal);
  return { status: 200, headers: { 'content-type': typeOf(path) }, body: messagesOf(stream) };
}

/** A kubelet gives a container's log at a path of its own. */
function requestFor(path: string, call: Call): NodeStreamRequest {
  const [, namespace, pod, container] = /^\/containerLogs\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
  if (namespace === undefined || pod === undefined || container === undefined) return { kind: 'get', path };
  return { kind: 'log', namespace, pod, container, ...logOptions(call) };
}

function typeOf(path: string): string {
  if (path === '/pods' || path.startsWith('/stats')) return 'application/json';
  if (path === '/logs') return 'text/html; charset=utf-8';
  return path.startsWith('/metrics') ? 'text/plain; version=0.0.4; charset=utf-8' : 'text/plain; charset=utf-8';
}

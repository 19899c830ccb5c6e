/** GET nodes/NAME/proxy/PATH: the agent's own endpoints, for `kubectl get --raw` and scrapers. */
import type { ApiResponse } from '../contract.ts';
import { type Call, type Engine, find, groupResource, nameOf } from '../engine.ts';
import { methodNotAllowed, notFound, unavailable } from '../statuses.ts';
import { messagesOf } from './log.ts';

export async function proxyToNode(engine: Engine, call: Call): Promise<ApiResponse> {
  if (call.route.verb !== 'get') throw methodNotAllowed();
  const node = nameOf(call.route);
  if (find(engine, call) === undefined) throw notFound(groupResource(call.kind), node);
  if (engine.dialer === undefined) throw unavailable('this server does not reach nodes');
  const path = `/${call.route.rest ?? ''}`;
  const stream = await engine.dialer.open(node, { kind: 'get', path }, call.request.signal);
  const isJson = path === '/pods' || path.startsWith('/stats');
  const headers = { 'content-type': isJson ? 'application/json' : 'text/plain; version=0.0.4; charset=utf-8' };
  return { status: 200, headers, body: messagesOf(stream) };
}

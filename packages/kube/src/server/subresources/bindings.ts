/** POST to `bindings`: the old way to bind, with the pod named in the body only. */
import { decodeBody } from '../body.ts';
import type { ApiResponse } from '../contract.ts';
import type { Call, Engine } from '../engine.ts';
import { isRecord } from '../incoming.ts';
import { badRequest, methodNotAllowed, noSuchRoute } from '../statuses.ts';
import { bind } from './binding.ts';

export function createBinding(engine: Engine, call: Call): Promise<ApiResponse> {
  if (call.route.verb !== 'create' || call.route.namespace === undefined) throw methodNotAllowed();
  const { value } = decodeBody(call.request, engine.parseYaml);
  const name = isRecord(value) && isRecord(value['metadata']) ? value['metadata']['name'] : undefined;
  if (typeof name !== 'string' || name === '' || name.includes('/')) throw badRequest('metadata.name is required');
  const pods = engine.table.find('', 'v1', 'pods');
  if (pods === undefined) throw noSuchRoute();
  return bind(engine, {
    ...call,
    kind: pods,
    route: { ...call.route, resource: 'pods', name, subresource: 'binding' },
  });
}

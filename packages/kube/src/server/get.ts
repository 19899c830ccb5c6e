/** GET of one object. */
import type { ApiResponse } from './contract.ts';
import { type Call, type Engine, find, groupResource, nameOf } from './engine.ts';
import { respondObject } from './forms.ts';
import { parseRevision } from './list-options.ts';
import { methodNotSupported, notFound, revisionTooLarge } from './statuses.ts';

export function get(engine: Engine, call: Call): ApiResponse {
  if (!call.kind.row.verbs.includes('get')) throw methodNotSupported(groupResource(call.kind), 'get');
  const atLeast = parseRevision(call.request.query.get('resourceVersion')) ?? 0;
  if (atLeast > engine.store.revision) throw revisionTooLarge(atLeast, engine.store.revision);
  const stored = find(engine, call);
  if (stored === undefined) throw notFound(groupResource(call.kind), nameOf(call.route));
  return respondObject(engine, call, 200, stored);
}

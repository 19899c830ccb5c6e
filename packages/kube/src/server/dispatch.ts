/** From a route to the verb that answers it. */
import type { ApiResponse } from './contract.ts';
import { create } from './create.ts';
import { deleteOne } from './delete.ts';
import { deleteCollection } from './delete-collection.ts';
import type { Call, Engine } from './engine.ts';
import { get } from './get.ts';
import { list } from './list.ts';
import { patch } from './patch.ts';
import { methodNotAllowed, noSuchRoute } from './statuses.ts';
import { update } from './update.ts';
import type { Watches } from './watch.ts';

export async function dispatch(engine: Engine, watches: Watches, call: Call): Promise<ApiResponse> {
  const { route, kind } = call;
  if (route.subresource !== undefined) {
    if (route.subresource !== 'status' || !kind.row.subresources.includes('status')) throw noSuchRoute();
    if (!['get', 'update', 'patch'].includes(route.verb)) throw methodNotAllowed();
  }
  switch (route.verb) {
    case 'get':
      return get(engine, call);
    case 'list':
      return list(engine, call);
    case 'watch':
      return watches.watch(call);
    case 'create':
      if (route.name !== undefined) throw methodNotAllowed();
      return create(engine, call);
    case 'update':
      if (route.name === undefined) throw methodNotAllowed();
      return update(engine, call);
    case 'patch':
      if (route.name === undefined) throw methodNotAllowed();
      return patch(engine, call);
    case 'delete':
      return deleteOne(engine, call);
    case 'deletecollection':
      return deleteCollection(engine, call);
    default:
      throw methodNotAllowed();
  }
}

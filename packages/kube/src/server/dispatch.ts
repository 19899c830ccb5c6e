/** From a route to what answers it. */
import { SteadyLots, whenAdmitted } from './admission/pending.ts';
import type { ApiResponse } from './contract.ts';
import { create } from './create.ts';
import { deleteOne } from './delete.ts';
import { deleteCollection } from './delete-collection.ts';
import type { Call, Engine } from './engine.ts';
import { get } from './get.ts';
import { list } from './list.ts';
import { patch } from './patch.ts';
import { isReview, review } from './reviews.ts';
import { badRequest, methodNotAllowed, noSuchRoute } from './statuses.ts';
import { bind } from './subresources/binding.ts';
import { createBinding } from './subresources/bindings.ts';
import { evict } from './subresources/eviction.ts';
import { podLog } from './subresources/log.ts';
import { proxyToNode } from './subresources/node-proxy.ts';
import { scale } from './subresources/scale.ts';
import { requestToken } from './subresources/token.ts';
import { update } from './update.ts';
import { readVirtual } from './virtual.ts';
import type { Watches } from './watch.ts';

type Answer = (engine: Engine, call: Call) => Promise<ApiResponse> | ApiResponse;

/** Subresources that are the object itself, of which they write a part. */
const SAME_OBJECT: Readonly<Record<string, Answer>> = { get, update, patch };

const SUBRESOURCES: Readonly<Record<string, Answer>> = {
  status: ofSameObject,
  approval: ofSameObject,
  ephemeralcontainers: ofSameObject,
  resize: ofSameObject,
  finalize: ofSameObject,
  scale,
  binding: bind,
  eviction: evict,
  token: requestToken,
  log: podLog,
  exec: needsUpgrade,
  attach: needsUpgrade,
  portforward: needsUpgrade,
};

/** Nothing may be awaited between the read and the write of an object, so what admission waits for is waited for here. */
export async function dispatch(engine: Engine, watches: Watches, call: Call): Promise<ApiResponse> {
  if (call.request.method === 'GET') return answerOnce(engine, watches, call);
  const lots = new SteadyLots(engine.random);
  const steady: Engine = { ...engine, random: lots.draw };
  return whenAdmitted(call, () => {
    lots.restart();
    return answerOnce(steady, watches, call);
  });
}

async function answerOnce(engine: Engine, watches: Watches, call: Call): Promise<ApiResponse> {
  const { route, kind } = call;
  if (kind.read !== undefined) return readVirtual(engine, call, kind.read);
  if (isReview(route.group, route.resource)) return review(engine, call);
  if (route.subresource !== undefined) return answerSubresource(engine, call, route.subresource);
  if (route.group === '' && route.resource === 'bindings') return createBinding(engine, call);
  if (kind.row.namespaced && route.namespace === undefined) checkAllNamespaces(route.verb);
  const isNamed = route.name !== undefined;
  switch (route.verb) {
    case 'get':
      return get(engine, call);
    case 'list':
      return list(engine, call);
    case 'watch':
      return watches.watch(call);
    case 'create':
      return isNamed ? refuseMethod() : create(engine, call);
    case 'update':
      return isNamed ? update(engine, call) : refuseMethod();
    case 'patch':
      return isNamed ? patch(engine, call) : refuseMethod();
    case 'delete':
      return deleteOne(engine, call);
    case 'deletecollection':
      return deleteCollection(engine, call);
    default:
      return refuseMethod();
  }
}

function answerSubresource(engine: Engine, call: Call, subresource: string): Promise<ApiResponse> | ApiResponse {
  if (!call.kind.row.subresources.includes(subresource)) throw noSuchRoute();
  if (subresource === 'proxy' && call.kind.row.gvr.resource === 'nodes') return proxyToNode(engine, call);
  const answer = SUBRESOURCES[subresource];
  if (answer === undefined) throw noSuchRoute();
  return answer(engine, call);
}

function ofSameObject(engine: Engine, call: Call): Promise<ApiResponse> | ApiResponse {
  const answer = Object.hasOwn(SAME_OBJECT, call.route.verb) ? SAME_OBJECT[call.route.verb] : undefined;
  if (answer === undefined) throw methodNotAllowed();
  return answer(engine, call);
}

function needsUpgrade(): never {
  throw badRequest('Upgrade request required');
}

/** Across all namespaces there is only reading. */
function checkAllNamespaces(verb: string): void {
  if (verb !== 'list' && verb !== 'watch') throw methodNotAllowed();
}

function refuseMethod(): never {
  throw methodNotAllowed();
}

/** What a connection that leaves HTTP is to be joined with: exec, attach, port-forward, a watch or a log over WebSocket. */
import type { KubeObject } from '@skerry/api';
import type { UpgradeTarget } from '../streaming/contract.ts';
import { whenAdmitted } from './admission/pending.ts';
import { reviewObject } from './admission/review/review.ts';
import { authorize } from './authorize.ts';
import type { ApiResponse } from './contract.ts';
import type { Call, Engine } from './engine.ts';
import { isTrue } from './negotiate.ts';
import { badRequest, methodNotAllowed } from './statuses.ts';
import { logBytes } from './subresources/log.ts';
import { pickContainer, podTarget } from './subresources/pod-target.ts';
import type { Watches } from './watch.ts';

/** The longest command of an exec. */
const MAX_COMMAND_PARTS = 1_000;

/** `call` is authorized already; streams ask for `create` too, since a WebSocket comes as a GET. */
export async function planUpgrade(engine: Engine, watches: Watches, call: Call): Promise<UpgradeTarget | ApiResponse> {
  const { route } = call;
  if (route.verb === 'watch') return watchTarget(watches, call);
  switch (route.subresource) {
    case 'exec':
    case 'attach':
      authorize(engine.authorizer, call.request, { ...route, verb: 'create' });
      return whenAdmitted(call, () => execTarget(engine, call, route.subresource === 'exec' ? 'exec' : 'attach'));
    case 'log':
      return { kind: 'log', bytes: (await logBytes(engine, call)) ?? nothing() };
    case 'portforward':
      authorize(engine.authorizer, call.request, { ...route, verb: 'create' });
      return whenAdmitted(call, () => portForwardTarget(engine, call));
    default:
      throw methodNotAllowed();
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

function watchTarget(watches: Watches, call: Call): UpgradeTarget | ApiResponse {
  const response = watches.watch(call);
  const { body } = response;
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) return response;
  return { kind: 'watch', lines: body };
}

function execTarget(engine: Engine, call: Call, kind: 'exec' | 'attach'): UpgradeTarget {
  const { query } = call.request;
  const target = podTarget(engine, call);
  const container = pickContainer(target, query.get('container') ?? '');
  const { namespace, pod } = target;
  const command = query.getAll('command');
  if (kind === 'exec' && command.length === 0)
    throw badRequest('you must specify at least one command for the container');
  if (command.length > MAX_COMMAND_PARTS) throw badRequest('the command has too many parts');
  const streams = {
    stdin: isTrue(query.get('stdin')),
    stdout: isTrue(query.get('stdout')),
    stderr: isTrue(query.get('stderr')),
    tty: isTrue(query.get('tty')),
  };
  if (!streams.stdin && !streams.stdout && !streams.stderr) {
    throw badRequest('you must specify at least one of stdin, stdout, stderr');
  }
  const asked = kind === 'exec' ? { ...streams, container, command } : { ...streams, container };
  reviewConnect(engine, call, kind === 'exec' ? 'PodExecOptions' : 'PodAttachOptions', asked);
  return { kind: 'exec', node: nodeOf(target), request: { kind, namespace, pod, container, command, ...streams } };
}

function portForwardTarget(engine: Engine, call: Call): UpgradeTarget {
  const target = podTarget(engine, call);
  const ports = call.request.query.getAll('ports').flatMap((list) => list.split(',').map(Number));
  reviewConnect(engine, call, 'PodPortForwardOptions', ports.length === 0 ? {} : { ports });
  return { kind: 'portforward', node: nodeOf(target), namespace: target.namespace, pod: target.pod, ports };
}

/** What a connection is for, as an object that has a kind and no metadata. */
function reviewConnect(engine: Engine, call: Call, kind: string, options: object): void {
  const object = { kind, apiVersion: 'v1', ...options } as unknown as KubeObject;
  const gvk = { group: '', version: 'v1', kind };
  reviewObject(engine, call, { operation: 'CONNECT', gvk, object, options: {}, dryRun: false });
}

function nodeOf({ node, pod }: { node: string; pod: string }): string {
  if (node === '') throw badRequest(`pod ${pod} does not have a host assigned`);
  return node;
}

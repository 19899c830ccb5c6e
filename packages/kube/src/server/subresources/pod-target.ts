/** Which container, on which node, a request for logs, exec, attach or port-forward means. */
import type { KubeObject } from '@skerry/api';
import { type Call, type Engine, find, groupResource, nameOf } from '../engine.ts';
import { toServedObject } from '../object-text.ts';
import { badRequest, notFound } from '../statuses.ts';

interface Named {
  readonly name: string;
}

interface PodSpec {
  readonly nodeName?: string;
  readonly containers?: readonly Named[];
  readonly initContainers?: readonly Named[];
  readonly ephemeralContainers?: readonly Named[];
}

export interface PodTarget {
  readonly namespace: string;
  readonly pod: string;
  /** Empty: not on a node yet. */
  readonly node: string;
  readonly spec: PodSpec;
  readonly object: KubeObject;
}

export function podTarget(engine: Engine, call: Call): PodTarget {
  const pod = nameOf(call.route);
  const stored = find(engine, call);
  if (stored === undefined) throw notFound(groupResource(call.kind), pod);
  const object = toServedObject(stored);
  const spec = (object['spec'] ?? {}) as PodSpec;
  return { namespace: call.route.namespace ?? '', pod, node: spec.nodeName ?? '', spec, object };
}

/** The container asked for, or the only one there is. */
export function pickContainer({ pod, spec }: PodTarget, asked: string): string {
  const containers = spec.containers ?? [];
  const others = [...(spec.initContainers ?? []), ...(spec.ephemeralContainers ?? [])];
  if (asked !== '') {
    if ([...containers, ...others].some(({ name }) => name === asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${pod}`);
  }
  const [first] = containers;
  if (containers.length === 1 && first !== undefined) return first.name;
  const names = containers.map(({ name }) => name).join(' ');
  const init = (spec.initContainers ?? []).map(({ name }) => name).join(' ');
  const also = init === '' ? '' : ` or one of the init containers: [${init}]`;
  throw badRequest(`a container name must be specified for pod ${pod}, choose one of: [${names}]${also}`);
}

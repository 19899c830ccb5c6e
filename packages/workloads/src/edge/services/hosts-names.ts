/**
 * Names without packet rules or a name server: what a node without root can do for its process pods. A file each namespace, seen as
 * /etc/hosts, names the Services that have endpoints here and leads straight to the pods, at the ports that they serve themselves.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { ReadyMount } from '../runtime.ts';
import { CLUSTER_DOMAIN } from './names.ts';
import { abortOf, followWorld } from './node-world.ts';
import type { FollowOptions } from './service-network.ts';
import { type ServiceView, viewServices } from './service-view.ts';

const PLACE = '/etc/hosts';
const LOOPBACK = '127.0.0.1';

export interface HostsNamesOptions {
  readonly node: string;
  /** The agent's own directory. */
  readonly home: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly hostFile?: string;
}

export interface HostsNames {
  /** The file that pods of the namespace see, kept current from now on. */
  mountFor(namespace: string): ReadyMount;
  run(follow: FollowOptions, signal: AbortSignal): Promise<void>;
}

export function createHostsNames({ node, home, clock, log, hostFile = PLACE }: HostsNamesOptions): HostsNames {
  const directory = join(home, 'names');
  const written = new Map<string, string>();
  let views: readonly ServiceView[] = [];

  const write = (namespace: string): void => {
    const text = formatHosts(readText(hostFile), views, namespace);
    if (written.get(namespace) === text) return;
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    // The same file, not another one in its place: it is mounted in pods that run.
    writeFileSync(join(directory, namespace), text, { mode: 0o644 });
    written.set(namespace, text);
  };
  return {
    mountFor: (namespace) => {
      write(namespace);
      return { hostPath: join(directory, namespace), mountPath: PLACE, readOnly: true };
    },
    run: async ({ client, ready }, signal) => {
      await Promise.race([ready, abortOf(signal)]);
      if (signal.aborted) return;
      const refresh = () => {
        try {
          views = viewServices({ ...world.read(), hostIp: LOOPBACK });
          for (const namespace of written.keys()) write(namespace);
        } catch (error) {
          log.warn({ error: messageOf(error) }, 'names not written');
        }
      };
      const world = followWorld({ client, clock, log, signal }, node, () => queueMicrotask(refresh));
      await abortOf(signal);
    },
  };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return `${LOOPBACK}\tlocalhost\n`;
  }
}

/** The host's own names, and after them those of Services with endpoints here; short ones for the pod's own namespace. Pure. */
export function formatHosts(ofHost: string, views: readonly ServiceView[], namespace: string): string {
  const lines = views.flatMap((view) => {
    const { name, namespace: of, endpoints } = view;
    const whole = endpoints.map(({ ip }) => [ip, ...namesFor(name, of, namespace)]);
    const single = view.isHeadless ? endpoints.filter(({ hostname }) => hostname !== undefined) : [];
    return [...whole, ...single.map(({ ip, hostname }) => [ip, ...namesFor(`${hostname}.${name}`, of, namespace)])];
  });
  const unique = [...new Set(lines.map((line) => line.join('\t')))].sort();
  return [ofHost.trimEnd(), ...unique, ''].join('\n');
}

function namesFor(name: string, of: string, namespace: string): string[] {
  const names = [`${name}.${of}.svc.${CLUSTER_DOMAIN}`, `${name}.${of}.svc`, `${name}.${of}`];
  return of === namespace ? [...names, name] : names;
}

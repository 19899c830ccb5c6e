/** One try to start a container whose image is here: environment, mounts, command. */
import { chmod, chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ContainerSnapshot, ReadyImage } from '../runtime.ts';
import type { PodVolumes } from '../volumes/pod-volumes.ts';
import type { PodContext } from './context.ts';
import type { PodFacts } from './downward.ts';
import { environmentOf } from './environment.ts';
import { expand } from './expand.ts';
import { hashOf } from './hash.ts';
import type { Container, Pod } from './types.ts';

export interface StartTry {
  readonly image: ReadyImage;
  readonly pod: Pod;
  readonly container: Container;
  readonly attempt: number;
  readonly facts: PodFacts;
  readonly volumes: PodVolumes;
}

export async function startContainer(
  context: PodContext,
  { image, pod, container, attempt, facts, volumes }: StartTry,
): Promise<ContainerSnapshot> {
  const { runtime } = context;
  const { namespace = '' } = pod.metadata;
  // Where a port can be forwarded into a pod, its network is its own.
  const isOnHost = runtime.forward === undefined || pod.spec.hostNetwork === true;
  const localApi = context.localApi(isOnHost);
  const env = await environmentOf({
    pod,
    container,
    facts,
    services: context.services(namespace),
    read: context.readConfig(namespace),
    readFile: (volume, path) => volumes.readFile(volume, path),
    ...(localApi === undefined ? {} : { localApi }),
  });
  await volumes.setUp(pod, facts);
  const mounts = await volumes.mountsOf(container, env);
  const lookUp = (name: string) => env[name];
  return runtime.start({
    pod,
    container,
    attempt,
    env,
    command: (container.command ?? []).map((word) => expand(word, lookUp)),
    args: (container.args ?? []).map((word) => expand(word, lookUp)),
    mounts,
    podLogDirectory: podLogDirectory(context, pod),
    imageRef: image.imageRef,
    logPath: logPathOf(context, pod, container.name, attempt),
    terminationLog: await makeTerminationLog(context, pod, container.name),
    hash: hashOf(container),
  });
}

export function podLogDirectory({ logDirectory }: PodContext, { metadata }: Pod): string {
  return join(logDirectory, `${metadata.namespace}_${metadata.name}_${metadata.uid}`);
}

function logPathOf(context: PodContext, pod: Pod, container: string, attempt: number): string {
  return join(podLogDirectory(context, pod), container, `${attempt}.log`);
}

export function terminationLogOf({ directory }: PodContext, uid: string, container: string): string {
  return join(directory, uid, 'containers', container, 'termination-log');
}

/** A fresh file: what the last attempt wrote there was read when it ended. */
async function makeTerminationLog(context: PodContext, pod: Pod, container: string): Promise<string> {
  const path = terminationLogOf(context, pod.metadata.uid ?? '', container);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await rm(path, { force: true });
  await writeFile(path, '');
  const owner = context.runtime.ownerOf(pod);
  if (owner !== undefined) await chown(path, owner.uid, owner.gid);
  // Containers of one pod may run as different users, also as their images' own.
  await chmod(path, 0o666);
  return path;
}

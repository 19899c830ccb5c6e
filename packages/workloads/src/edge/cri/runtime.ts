/** Runtime `containerd`: pods as sandboxes and containers of any runtime that speaks CRI v1 on a unix socket. */
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type BackoffPolicy, backoffDelay, type Clock, hasCode, type Logger, messageOf } from '@skerry/base';
import type { ImageSource } from '../../images/index.ts';
import { readHostUsage } from '../node/host-usage.ts';
import { makeEtcHosts, removeEtcHosts } from '../pod/etc-hosts.ts';
import type { Container, Pod } from '../pod/types.ts';
import {
  type ContainerSnapshot,
  type ContainerUsage,
  type ExecResult,
  type ListedImage,
  type PodRuntime,
  type PullTask,
  type ReadyImage,
  RuntimeRefusal,
  type StartContainer,
} from '../runtime.ts';
import type { PodNetwork } from '../services/service-network.ts';
import { type ContainerConfig, type CriClient, createCriClient } from './client.ts';
import { containerConfigOf, demandsNonRoot, newResourcesOf, refuseRoot } from './container-config.ts';
import { type ContainerdPuller, createContainerdPuller } from './containerd/puller.ts';
import { Containers } from './containers.ts';
import { ImageCollector } from './image-collector.ts';
import { awaitImage, findImage, listImages, pullImage } from './images.ts';
import { Label } from './labels.ts';
import { rotateLogs } from './log-rotation.ts';
import { type Sandbox, Sandboxes } from './sandboxes.ts';
import { openPort, openSession } from './sessions.ts';

const BOOT_ID_FILE = '/proc/sys/kernel/random/boot_id';
const CONNECT_RETRY: BackoffPolicy = { baseMs: 100, capMs: 2000 };
const CONNECT_TIMEOUT_MS = 5000;
const DEFAULT_PATIENCE_MS = 3000;
const MAX_EXEC_OUTPUT_BYTES = 16 * 1024;
/** Between the end of a command's own time and the end of our patience. */
const EXEC_MARGIN_MS = 5000;
/** Longer than any grace: the pod's own deadline decides when it is over. */
const TERMINATE_SECONDS = 86_400;
/** A daemon that restarts is back before that; one that is not has failed. As kubelets have it. */
const MAX_SILENCE_MS = 30_000;
/** A sandbox dies when somebody kills what holds it, which is rare. */
const SANDBOX_LOOK_MS = 5000;
const LOG_MAX_BYTES = 10 * 1024 * 1024;
const LOG_MAX_FILES = 5;

export interface CriRuntimeOptions {
  readonly socket: string;
  readonly nodeName: string;
  /** Holds what is made for pods, such as their /etc/hosts. */
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly nodeIps: () => readonly string[];
  /** Services and names for pods on networks of their own; absent: pods have neither. */
  readonly network?: PodNetwork;
  /** Where images come from; absent: the runtime pulls them itself, as it is configured to. */
  readonly imageSource?: () => Promise<ImageSource>;
  /** How long a runtime that is only starting is waited for. */
  readonly patienceMs?: number;
  readonly bootIdFile?: string;
  readonly logMaxBytes?: number;
  readonly logMaxFiles?: number;
}

export interface CriRuntime extends PodRuntime {
  /** Ends the sandboxes, once nothing runs in them; the next start makes new ones. */
  shutdown(): Promise<void>;
  close(): void;
}

/** Rejects when nobody answers at the socket. */
export async function createCriRuntime(options: CriRuntimeOptions): Promise<CriRuntime> {
  const cri = createCriClient(options.socket);
  try {
    const version = await greet(cri, options);
    const runtime = new Runtime(cri, version, options);
    await runtime.begin();
    return runtime;
  } catch (error) {
    cri.close();
    throw error;
  }
}

async function greet(cri: CriClient, { clock, patienceMs = DEFAULT_PATIENCE_MS }: CriRuntimeOptions): Promise<string> {
  const deadline = clock.monotonic() + patienceMs;
  for (let attempt = 0; ; attempt++) {
    try {
      const { runtimeName, runtimeVersion } = await cri.call('Version', {}, { timeoutMs: CONNECT_TIMEOUT_MS });
      return `${runtimeName}://${runtimeVersion}`;
    } catch (error) {
      if (clock.monotonic() >= deadline) throw error;
      await clock.sleep(CONNECT_RETRY.baseMs + backoffDelay(CONNECT_RETRY, attempt));
    }
  }
}

class Runtime implements CriRuntime {
  readonly name = 'containerd';
  readonly version: string;
  readonly #cri: CriClient;
  readonly #options: CriRuntimeOptions;
  readonly #containers: Containers;
  readonly #sandboxes: Sandboxes;
  readonly #images: ImageCollector;
  readonly #puller: ContainerdPuller | undefined;
  readonly #bootId: string;
  readonly #memoryTotal: number;
  readonly #closed = new AbortController();
  readonly #lossListeners = new Set<(podUid: string) => void>();
  /** Ends the question that waits for a container to end on its own. */
  readonly #ending = new Map<string, AbortController>();

  constructor(cri: CriClient, version: string, options: CriRuntimeOptions) {
    const { nodeName: node, clock, log, directory, bootIdFile = BOOT_ID_FILE } = options;
    this.version = version;
    this.#cri = cri;
    this.#options = options;
    this.#bootId = readFileSync(bootIdFile, 'utf8').trim();
    this.#memoryTotal = readHostUsage(directory).memoryTotal;
    this.#containers = new Containers({ cri, node, bootId: this.#bootId, clock, log });
    this.#sandboxes = new Sandboxes(cri, node, (pod) => options.network?.dnsOf(pod));
    this.#images = new ImageCollector(cri, () => clock.now());
    const { socket, imageSource: source } = options;
    this.#puller = source === undefined ? undefined : createContainerdPuller({ socket, source, clock, log });
  }

  async begin(): Promise<void> {
    const { clock, log, nodeName: node, logMaxBytes = LOG_MAX_BYTES, logMaxFiles = LOG_MAX_FILES } = this.#options;
    await this.#containers.removeUnstarted();
    await this.#containers.list();
    this.#containers.follow();
    this.#followSandboxes().catch(() => {});
    const context = { cri: this.#cri, node, bootId: this.#bootId, clock, log };
    const limits = { maxBytes: logMaxBytes, maxFiles: logMaxFiles };
    rotateLogs(context, () => this.#containers.running(), limits, this.#closed.signal).catch(() => {});
  }

  isServing(): boolean {
    return this.#containers.silentMs < MAX_SILENCE_MS;
  }

  shutdown(): Promise<void> {
    return this.#sandboxes.stopAll();
  }

  close(): void {
    this.#closed.abort();
    this.#containers.close();
    this.#puller?.close();
    this.#cri.close();
  }

  /** The user that all containers of the pod run as, when it says so; files have root's group then, as a kubelet leaves it. */
  ownerOf({ spec }: Pod): { uid: number; gid: number } | undefined {
    const { initContainers = [], containers, securityContext: shared } = spec;
    const uids = new Set(
      [...initContainers, ...containers].map((one) => one.securityContext?.runAsUser ?? shared?.runAsUser),
    );
    const [uid] = uids;
    return uids.size === 1 && uid !== undefined ? { uid, gid: 0 } : undefined;
  }

  async preparePod(pod: Pod, logDirectory: string): Promise<{ readonly podIPs: readonly string[] }> {
    // What is known may have died since, with the machine or by itself.
    this.#sandboxes.forget(pod.metadata.uid ?? '');
    const { ips } = await this.#sandboxes.ensure(pod, logDirectory);
    const podIPs = pod.spec.hostNetwork ? this.#options.nodeIps() : ips;
    if (pod.spec.hostNetwork !== true) await this.#options.network?.admit(pod, ips);
    await makeEtcHosts(this.#options.directory, pod, podIPs);
    return { podIPs };
  }

  async removePod(uid: string): Promise<void> {
    await this.#sandboxes.remove(uid);
    await removeEtcHosts(this.#options.directory, uid);
  }

  releasePod(uid: string): Promise<void> {
    return this.#sandboxes.stop(uid);
  }

  async sweep(isKnown: (uid: string) => boolean): Promise<void> {
    await this.#sandboxes.sweep(isKnown);
    await this.#images.collect();
  }

  findImage(image: string): Promise<ReadyImage | undefined> {
    return findImage(this.#cri, image);
  }

  async pullImage(task: PullTask): Promise<ReadyImage> {
    if (this.#puller === undefined || !(await this.#puller.isPossible())) return pullImage(this.#cri, task);
    return awaitImage(this.#cri, this.#options.clock, task, await this.#puller.pull(task));
  }

  images(): Promise<readonly ListedImage[]> {
    return listImages(this.#cri);
  }

  async start(request: StartContainer): Promise<ContainerSnapshot> {
    const { pod, container, podLogDirectory, logPath } = request;
    await this.#refuseRoot(request);
    await mkdir(dirname(logPath), { recursive: true });
    const sandbox = await this.#sandboxes.ensure(pod, podLogDirectory);
    const config = containerConfigOf(request, {
      node: this.#options.nodeName,
      bootId: this.#bootId,
      logDirectory: podLogDirectory,
      mounts: [await makeEtcHosts(this.#options.directory, pod, sandbox.ips)],
      memoryTotal: this.#memoryTotal,
      seccompFolder: join(this.#options.directory, 'seccomp'),
      ...this.#target(pod, container.targetContainerName),
    });
    const created = await this.#create(sandbox, config);
    try {
      await this.#cri.call('StartContainer', { id: created.id });
    } catch (error) {
      await this.#cri.call('RemoveContainer', { id: created.id }).catch(() => {});
      throw new RuntimeRefusal('StartError', messageOf(error), { cause: error });
    }
    return this.#containers.refresh(created.id);
  }

  async #create(sandbox: Sandbox, config: ContainerConfig): Promise<{ readonly id: string }> {
    try {
      return await this.#cri.call('CreateContainer', { sandboxId: sandbox.id, config, sandbox: sandbox.config });
    } catch (error) {
      throw new RuntimeRefusal('CreateContainerError', messageOf(error), { cause: error });
    }
  }

  async #refuseRoot({ pod, container, imageRef }: StartContainer): Promise<void> {
    if (!demandsNonRoot(pod, container)) return;
    const { image } = await this.#cri.call('ImageStatus', { image: { image: imageRef } });
    const uid = image?.uid?.value;
    refuseRoot(pod, container, { username: image?.username ?? '', ...(uid === undefined ? {} : { uid }) });
  }

  #target(pod: Pod, name: string | undefined): { readonly targetId?: string } {
    if (name === undefined || name === '') return {};
    const { uid } = pod.metadata;
    const running = this.#containers.running();
    const target = running.find(({ labels }) => labels.uid === uid && labels.container === name);
    if (target !== undefined) return { targetId: target.id };
    throw new RuntimeRefusal('CreateContainerConfigError', `target container "${name}" does not run`);
  }

  list(): Promise<readonly ContainerSnapshot[]> {
    return this.#containers.list();
  }

  onSandboxLost(listener: (podUid: string) => void): Disposable {
    this.#lossListeners.add(listener);
    return { [Symbol.dispose]: () => void this.#lossListeners.delete(listener) };
  }

  async #followSandboxes(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#closed;
    while (!signal.aborted) {
      await clock.sleep(SANDBOX_LOOK_MS, signal);
      await this.#endLost().catch((error: unknown) =>
        log.debug({ error: messageOf(error) }, 'sandboxes not looked at'),
      );
    }
  }

  /** Containers whose sandbox has died have a network that nobody keeps: they end, and their pod begins anew. */
  async #endLost(): Promise<void> {
    const running = this.#containers.running();
    const lost = await this.#sandboxes.lostOf(new Set(running.map(({ labels }) => labels.uid)));
    for (const uid of lost) {
      this.#options.log.warn({ uid }, 'sandbox is lost');
      for (const listener of this.#lossListeners) listener(uid);
      for (const { id } of running.filter(({ labels }) => labels.uid === uid)) await this.kill(id);
    }
  }

  onChange(listener: (snapshot: ContainerSnapshot) => void): Disposable {
    return this.#containers.onChange(listener);
  }

  /** The runtime sends the signal and then waits; so do we, in the background, to hear of the end at once. */
  async terminate(id: string, signal?: string): Promise<void> {
    if (signal !== undefined && signal !== 'SIGTERM') return this.#signal(id, signal as NodeJS.Signals);
    const ending = new AbortController();
    this.#ending.set(id, ending);
    const options = { timeoutMs: TERMINATE_SECONDS * 1000, signal: ending.signal };
    this.#cri
      .call('StopContainer', { id, timeoutSeconds: TERMINATE_SECONDS }, options)
      .then(() => this.#containers.refresh(id))
      .catch((error: unknown) => {
        if (!ending.signal.aborted) this.#options.log.debug({ id, error: messageOf(error) }, 'container not stopped');
      })
      .finally(() => this.#ending.delete(id));
  }

  /** CRI of today has no signals: the first process is on this machine, so it is sent here. */
  async #signal(id: string, signal: NodeJS.Signals): Promise<void> {
    const { info } = await this.#cri.call('ContainerStatus', { id, verbose: true });
    const { pid } = JSON.parse(info['info'] ?? '{}') as { pid?: number };
    if (pid !== undefined && pid > 0) process.kill(pid, signal);
  }

  async kill(id: string): Promise<ContainerSnapshot> {
    this.#ending.get(id)?.abort();
    await this.#cri.call('StopContainer', { id, timeoutSeconds: 0 });
    return this.#containers.refresh(id);
  }

  async remove(id: string): Promise<void> {
    this.#containers.forget(id);
    try {
      await this.#cri.call('RemoveContainer', { id });
    } catch (error) {
      if (!hasCode(error, 'CRI_NOT_FOUND')) throw error;
    }
  }

  async execSync(id: string, command: readonly string[], timeoutMs: number): Promise<ExecResult> {
    const timeoutSeconds = Math.ceil(timeoutMs / 1000);
    try {
      const options = { timeoutMs: timeoutMs + EXEC_MARGIN_MS };
      const { stdout, stderr, exitCode } = await this.#cri.call('ExecSync', { id, command, timeoutSeconds }, options);
      const output = Buffer.concat([stdout, stderr]).subarray(0, MAX_EXEC_OUTPUT_BYTES).toString('utf8');
      return { exitCode, output, timedOut: false };
    } catch (error) {
      if (!hasCode(error, 'CRI_TIMED_OUT')) throw error;
      return { exitCode: 137, output: '', timedOut: true };
    }
  }

  async exec(...[id, { command, stdin, tty }]: Parameters<PodRuntime['exec']>): ReturnType<PodRuntime['exec']> {
    const request = { id, command, tty, stdin, stdout: true, stderr: !tty };
    const { url } = await this.#cri.call('Exec', request);
    return openSession(url, { stdin, tty });
  }

  async attach(...[id, { stdin, tty }]: Parameters<PodRuntime['attach']>): ReturnType<PodRuntime['attach']> {
    const { url } = await this.#cri.call('Attach', { id, stdin, tty, stdout: true, stderr: !tty });
    return openSession(url, { stdin, tty });
  }

  async forward(uid: string, port: number): ReturnType<NonNullable<PodRuntime['forward']>> {
    const sandboxId = await this.#sandboxes.idOf(uid);
    if (sandboxId === undefined) throw new Error('the pod has no sandbox');
    const { url } = await this.#cri.call('PortForward', { sandboxId, ports: [port] });
    return openPort(url, port);
  }

  async resize(id: string, pod: Pod, container: Container): Promise<void> {
    const linux = newResourcesOf(pod, container, this.#memoryTotal);
    await this.#cri.call('UpdateContainerResources', { id, linux });
  }

  async imageDirectory(): Promise<string | undefined> {
    const { filesystems } = await this.#cri.call('ImageFsInfo', {});
    return filesystems[0]?.id?.mountpoint;
  }

  reclaimImages(): Promise<void> {
    return this.#images.collectAll();
  }

  async usage(): Promise<readonly ContainerUsage[]> {
    const filter = { labels: { [Label.node]: this.#options.nodeName } };
    const { stats } = await this.#cri.call('ListContainerStats', { filter });
    return stats.map(({ attributes, cpu, memory, writable }) => ({
      id: attributes?.id ?? '',
      cpuNanoseconds: cpu?.nanoseconds?.value ?? 0,
      memoryBytes: memory?.usage?.value ?? 0,
      workingSetBytes: memory?.workingSet?.value ?? 0,
      processes: 0,
      diskBytes: writable?.used?.value ?? 0,
      inodes: writable?.inodes?.value ?? 0,
    }));
  }
}

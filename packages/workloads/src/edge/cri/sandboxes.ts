/** The sandbox of each pod: made once, found again after a restart, replaced when it died, removed with the pod. */
import { hasCode } from '@skerry/base';
import type { Pod } from '../pod/types.ts';
import type { DnsSettings } from '../services/dns-settings.ts';
import type { CriClient, ListedSandbox, SandboxConfig } from './client.ts';
import { Label } from './labels.ts';
import { sandboxConfigOf } from './sandbox-config.ts';
import { SandboxState } from './schema.ts';

export interface Sandbox {
  readonly id: string;
  readonly config: SandboxConfig;
  /** Empty on the host's network. */
  readonly ips: readonly string[];
}

export class Sandboxes {
  readonly #cri: CriClient;
  readonly #node: string;
  readonly #dnsOf: (pod: Pod) => DnsSettings | undefined;
  /** By the pod's uid; a promise, so that containers that start at once share one sandbox. */
  readonly #known = new Map<string, Promise<Sandbox>>();

  constructor(cri: CriClient, node: string, dnsOf: (pod: Pod) => DnsSettings | undefined) {
    this.#cri = cri;
    this.#node = node;
    this.#dnsOf = dnsOf;
  }

  ensure(pod: Pod, logDirectory: string): Promise<Sandbox> {
    const uid = pod.metadata.uid ?? '';
    const known = this.#known.get(uid);
    if (known !== undefined) return known;
    const sandbox = this.#findOrRun(pod, logDirectory);
    this.#known.set(uid, sandbox);
    sandbox.catch(() => this.#known.delete(uid));
    return sandbox;
  }

  /** Looks again at what is there the next time: the sandbox may have died. */
  forget(uid: string): void {
    this.#known.delete(uid);
  }

  async idOf(uid: string): Promise<string | undefined> {
    const known = await this.#known.get(uid)?.catch(() => undefined);
    if (known !== undefined) return known.id;
    return (await this.#list(uid)).find(isReady)?.id;
  }

  async remove(uid: string): Promise<void> {
    this.#known.delete(uid);
    for (const { id } of await this.#list(uid)) await this.#removeOne(id);
  }

  /** Those of `uids` whose sandbox is dead. */
  async lostOf(uids: ReadonlySet<string>): Promise<readonly string[]> {
    if (uids.size === 0) return [];
    const alive = new Set((await this.#list()).filter(isReady).map(({ labels }) => labels[Label.uid]));
    const lost = [...uids].filter((uid) => !alive.has(uid));
    for (const uid of lost) this.#known.delete(uid);
    return lost;
  }

  /** Ends the pod's sandbox and keeps its containers' records. */
  async stop(uid: string): Promise<void> {
    this.#known.delete(uid);
    const live = (await this.#list(uid)).filter(isReady);
    for (const { id } of live) await this.#cri.call('StopPodSandbox', { id });
  }

  /** Ends all of them and keeps their containers' records. */
  async stopAll(): Promise<void> {
    this.#known.clear();
    const live = (await this.#list()).filter(isReady);
    await Promise.all(live.map(({ id }) => this.#cri.call('StopPodSandbox', { id })));
  }

  /** Removes the sandboxes of pods that nobody knows, and dead ones that hold no container any more. */
  async sweep(isKnown: (uid: string) => boolean): Promise<void> {
    const sandboxes = await this.#list();
    const orphans = sandboxes.filter(({ labels }) => !isKnown(labels[Label.uid] ?? ''));
    for (const { id } of orphans) await this.#removeOne(id);
    const dead = sandboxes.filter((one) => !isReady(one) && !orphans.includes(one));
    if (dead.length === 0) return;
    const { containers } = await this.#cri.call('ListContainers', { filter: this.#filter() });
    const inUse = new Set(containers.map(({ sandboxId }) => sandboxId));
    for (const { id } of dead) if (!inUse.has(id)) await this.#removeOne(id);
  }

  async #findOrRun(pod: Pod, logDirectory: string): Promise<Sandbox> {
    const found = await this.#list(pod.metadata.uid ?? '');
    const ready = found.find(isReady);
    const attempt =
      ready?.metadata?.attempt ?? found.reduce((next, { metadata }) => Math.max(next, (metadata?.attempt ?? 0) + 1), 0);
    const dns = this.#dnsOf(pod);
    const facts = { node: this.#node, logDirectory, attempt, ...(dns === undefined ? {} : { dns }) };
    const config = sandboxConfigOf(pod, facts);
    const handler = '';
    const id = ready?.id ?? (await this.#cri.call('RunPodSandbox', { config, handler })).id;
    return { id, config, ips: await this.#ipsOf(id) };
  }

  async #ipsOf(id: string): Promise<readonly string[]> {
    const { status } = await this.#cri.call('PodSandboxStatus', { id });
    const network = status?.network;
    return [network?.ip ?? '', ...(network?.additional ?? []).map(({ ip }) => ip)].filter((ip) => ip !== '');
  }

  async #removeOne(id: string): Promise<void> {
    try {
      await this.#cri.call('StopPodSandbox', { id });
      await this.#cri.call('RemovePodSandbox', { id });
    } catch (error) {
      if (!hasCode(error, 'CRI_NOT_FOUND')) throw error;
    }
  }

  async #list(uid?: string): Promise<readonly ListedSandbox[]> {
    const { items } = await this.#cri.call('ListPodSandbox', { filter: this.#filter(uid) });
    return items;
  }

  #filter(uid?: string): { readonly labels: Readonly<Record<string, string>> } {
    return { labels: { [Label.node]: this.#node, ...(uid === undefined ? {} : { [Label.uid]: uid }) } };
  }
}

function isReady({ state }: ListedSandbox): boolean {
  return state === SandboxState.ready;
}

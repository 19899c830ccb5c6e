/** What the runtime knows of our containers, and who hears of their starts and ends. Runtimes of today tell nothing: we ask. */
import { type Clock, hasCode, type Logger, messageOf } from '@skerry/base';
import type { ContainerSnapshot } from '../runtime.ts';
import type { ContainerStatus, CriClient, ListedContainer } from './client.ts';
import { containerLabels, Label } from './labels.ts';
import { ContainerState } from './schema.ts';

const POLL_MS = 1000;
const NANOSECONDS = 1e6;
const STATUS_UNKNOWN = 'ContainerStatusUnknown';

export interface ContainersOptions {
  readonly cri: CriClient;
  readonly node: string;
  readonly bootId: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export class Containers {
  readonly #options: ContainersOptions;
  readonly #known = new Map<string, ContainerSnapshot>();
  readonly #listeners = new Set<(snapshot: ContainerSnapshot) => void>();
  readonly #closed = new AbortController();
  #answeredAt: number;

  constructor(options: ContainersOptions) {
    this.#options = options;
    this.#answeredAt = options.clock.monotonic();
  }

  /** Since when the runtime has been silent, in milliseconds; near zero while it answers. */
  get silentMs(): number {
    return this.#options.clock.monotonic() - this.#answeredAt;
  }

  /** Follows what happens until it is closed. */
  follow(): void {
    this.#pollForEver().catch(() => {});
  }

  close(): void {
    this.#closed.abort();
  }

  onChange(listener: (snapshot: ContainerSnapshot) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** As of this moment. */
  async list(): Promise<readonly ContainerSnapshot[]> {
    await this.#poll();
    return [...this.#known.values()];
  }

  /** As of the last look. */
  running(): readonly ContainerSnapshot[] {
    return [...this.#known.values()].filter(({ exit }) => exit === undefined);
  }

  /** Asks for one container, and tells of it when it has changed. */
  async refresh(id: string): Promise<ContainerSnapshot> {
    const { status } = await this.#options.cri.call('ContainerStatus', { id });
    if (status === undefined) throw new Error(`container ${id} has no status`);
    const snapshot = snapshotOf(status, this.#options.bootId);
    const known = this.#known.get(id);
    if (known !== undefined && known.exit !== undefined) return known;
    this.#known.set(id, snapshot);
    if (known === undefined || snapshot.exit !== undefined) this.#tell(snapshot);
    return snapshot;
  }

  forget(id: string): void {
    this.#known.delete(id);
  }

  /** Created and never started: an agent died in between. */
  async removeUnstarted(): Promise<void> {
    const left = (await this.#listed()).filter(({ state }) => state === ContainerState.created);
    for (const { id } of left) await this.#options.cri.call('RemoveContainer', { id });
  }

  async #pollForEver(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#closed;
    for (let failures = 0; !signal.aborted; ) {
      await clock.sleep(POLL_MS, signal);
      try {
        await this.#poll();
        failures = 0;
      } catch (error) {
        if (failures++ === 0) log.warn({ error: messageOf(error) }, 'containers not listed');
      }
    }
  }

  async #poll(): Promise<void> {
    const listed = await this.#listed();
    const ids = new Set(listed.map(({ id }) => id));
    for (const container of listed) {
      if (this.#isNews(container)) await this.#refreshListed(container.id);
    }
    for (const [id, snapshot] of this.#known) if (!ids.has(id)) this.#vanished(id, snapshot, listed);
  }

  async #listed(): Promise<readonly ListedContainer[]> {
    const { cri, node, clock } = this.#options;
    const { containers } = await cri.call('ListContainers', { filter: { labels: { [Label.node]: node } } });
    this.#answeredAt = clock.monotonic();
    return containers;
  }

  #isNews({ id, state }: ListedContainer): boolean {
    if (state === ContainerState.created) return false;
    const known = this.#known.get(id);
    return known === undefined || (known.exit === undefined && state !== ContainerState.running);
  }

  async #refreshListed(id: string): Promise<void> {
    try {
      await this.refresh(id);
    } catch (error) {
      // Removed between the list and the question.
      if (!hasCode(error, 'CRI_NOT_FOUND')) throw error;
    }
  }

  /** Somebody else removed it; one that started after the list was taken is only too young. */
  #vanished(id: string, snapshot: ContainerSnapshot, listed: readonly ListedContainer[]): void {
    if (this.#known.get(id) !== snapshot || listed.some((one) => one.id === id)) return;
    const now = this.#options.clock.now();
    if (now - snapshot.startedAt < 2 * POLL_MS) return;
    this.#known.delete(id);
    if (snapshot.exit === undefined) {
      this.#tell({ ...snapshot, exit: { code: 137, reason: STATUS_UNKNOWN, finishedAt: now } });
    }
  }

  #tell(snapshot: ContainerSnapshot): void {
    for (const listener of this.#listeners) listener(snapshot);
  }
}

function snapshotOf(status: ContainerStatus, bootId: string): ContainerSnapshot {
  const exit = exitOf(status, bootId);
  return {
    id: status.id,
    labels: containerLabels(status),
    logPath: status.logPath,
    startedAt: Math.floor((status.startedAt || status.createdAt) / NANOSECONDS),
    ...(exit === undefined ? {} : { exit }),
  };
}

function exitOf(
  { state, exitCode, reason, finishedAt, createdAt, annotations }: ContainerStatus,
  bootId: string,
): ContainerSnapshot['exit'] {
  if (state === ContainerState.running || state === ContainerState.created) return undefined;
  const at = Math.floor((finishedAt || createdAt) / NANOSECONDS);
  const isLost = state === ContainerState.unknown || reason === 'Unknown';
  if (isLost && annotations[Label.boot] !== bootId) return { code: 255, reason: 'NodeRebooted', finishedAt: at };
  if (isLost) return { code: exitCode || 137, reason: STATUS_UNKNOWN, finishedAt: at };
  return { code: exitCode, finishedAt: at, ...(reason === 'OOMKilled' ? { reason } : {}) };
}

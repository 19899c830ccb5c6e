/** Tells of objects at this node, each in the node’s own entry: at once what is wrong or right, and now and then how much there was. */
import { type Gvr, isStatus, type KubeObject } from '@skerry/api';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import type { NodeStatus } from '../kinds/shared.ts';

export interface StatusTellerOptions {
  readonly node: string;
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Something at this node that has a status. */
export interface Told {
  readonly gvr: Gvr;
  readonly object: KubeObject;
  /** As it is now. */
  view(): NodeStatus;
}

const LOOK_MS = 1000;
/** Counters alone are told so often: each tells the cloud too. */
const COUNT_MS = 10_000;

interface Entry {
  told: Told;
  facts: string;
  whole: string;
  at: number;
}

export class StatusTeller {
  readonly #options: StatusTellerOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: StatusTellerOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  set(key: string, told: Told): void {
    const known = this.#entries.get(key);
    if (known === undefined) this.#entries.set(key, { told, facts: '', whole: '', at: Number.NEGATIVE_INFINITY });
    else known.told = told;
  }

  /** The object is no longer of this node: its entry goes. */
  async forget(key: string): Promise<void> {
    const known = this.#entries.get(key);
    if (known === undefined) return;
    this.#entries.delete(key);
    await this.#write(known.told, null).catch(() => {});
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await clock.sleep(LOOK_MS, signal).catch(() => {});
      for (const entry of this.#entries.values()) {
        if (signal.aborted) return;
        await this.#look(entry);
      }
    }
  }

  async #look(entry: Entry): Promise<void> {
    const { clock, log } = this.#options;
    const { told } = entry;
    const view = { ...told.view(), observedGeneration: Number(told.object.metadata.generation ?? 0) };
    const facts = JSON.stringify([view.state, view.lastError, view.observedGeneration]);
    const whole = JSON.stringify(view);
    const isOld = clock.monotonic() - entry.at >= COUNT_MS;
    if (facts === entry.facts && (whole === entry.whole || !isOld)) return;
    Object.assign(entry, { facts, whole, at: clock.monotonic() });
    try {
      await this.#write(told, view);
    } catch (error) {
      entry.facts = '';
      const { namespace, name } = told.object.metadata;
      log.warn({ object: `${told.gvr.resource}/${namespace}/${name}`, error: messageOf(error) }, 'status not written');
    }
  }

  async #write({ gvr, object }: Told, view: NodeStatus | null): Promise<void> {
    const { client, node } = this.#options;
    const { namespace = '', name = '' } = object.metadata;
    const others = Object.entries((object as WithNodes).status?.onNodes ?? {}).filter(([other]) => other !== node);
    const states = [...others.map(([, other]) => other.state), view?.state];
    const status = { state: worstOf(states), onNodes: { [node]: view } };
    try {
      await client.patch({ gvr, namespace, name }, { status }, { type: 'merge', subresource: 'status' });
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error;
    }
  }
}

interface WithNodes {
  readonly status?: { readonly onNodes?: Readonly<Record<string, NodeStatus>> };
}

const BY_SEVERITY = ['Failed', 'Waiting', 'Pending', 'Running', 'Disabled'] as const;

function worstOf(states: readonly (string | undefined)[]): string {
  return BY_SEVERITY.find((state) => states.includes(state)) ?? 'Pending';
}

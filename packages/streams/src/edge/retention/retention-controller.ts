/** Retentions that are placed on this node: what is on the bus and matches one of them is recorded in the node’s store. */
import { type Clock, type Logger, messageOf, type Timer } from '@skerry/base';
import { type ControllerSpec, type Informer, keyOf, watching } from '@skerry/kube/controller';
import { type Batch, BatchBuilder, type SeriesId, type Subscription, valueAt } from '../../contract/index.ts';
import { objectAt } from '../../engine/rule/parameters.ts';
import { RETENTIONS } from '../../kinds/group.ts';
import type { Retention, RetentionNodeStatus } from '../../kinds/retention.ts';
import { appendWhenReady } from '../../store/append-when-ready.ts';
import type { SeriesStore } from '../../store/contract.ts';
import { type BusSeries, busSeries } from '../bus-series.ts';
import type { NodeStore } from '../node-store.ts';
import type { NodeValues } from '../node-values.ts';
import { RateMeter } from '../rate-meter.ts';
import type { StatusTeller } from '../status-teller.ts';
import { heldBecause, holderOf, type Keeper, keeperOf, longest, ownRetention } from './retention-plan.ts';

export interface RetentionControllerOptions {
  readonly node: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly retentions: Informer<Retention>;
  readonly values: Pick<NodeValues, 'bus' | 'series'>;
  readonly store: NodeStore;
  readonly teller: StatusTeller;
}

export interface RetentionController {
  readonly spec: ControllerSpec;
  close(): Promise<void>;
}

export function retentionController(options: RetentionControllerOptions): RetentionController {
  const recording = new Recording(options);
  return {
    spec: {
      name: 'retentions',
      watches: [watching(options.retentions, ({ object }) => [keyOf(object)])],
      reconcile: async (key) => {
        await recording.reconcile(key);
        return undefined;
      },
    },
    close: () => recording.close(),
  };
}

interface Kept extends Keeper {
  readonly meter: RateMeter;
  readonly series: Set<SeriesId>;
}

/** One that cannot be read: nothing is recorded for it, and nothing of what it means goes. */
interface Held extends Keeper {
  readonly problem: string;
}

/** Which series of the store a series of the bus is, and which objects count it; undefined: it is not recorded. */
interface Target {
  /** Undefined: the store refuses it. */
  readonly id: SeriesId | undefined;
  readonly kept: readonly Kept[];
}

/** While the store takes nothing, so much waits. */
const MAX_WAITING_ROWS = 1_048_576;
const RETRY_MS = 1000;

class Recording {
  readonly #options: RetentionControllerOptions;
  readonly #kept = new Map<string, Kept>();
  readonly #held = new Map<string, Held>();
  #targets = new Map<SeriesId, Target | undefined>();
  #subscription: Subscription | undefined;
  #running: Promise<void> = Promise.resolve();
  #trouble = '';
  #lost = 0;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: RetentionControllerOptions) {
    this.#options = options;
  }

  async reconcile(key: string): Promise<void> {
    const { retentions, node, teller } = this.#options;
    const object = retentions.cache.get(key);
    if (object?.status?.nodes?.includes(node) !== true) {
      const wasKept = this.#kept.delete(key);
      if (this.#held.delete(key) || wasKept) await this.#changed();
      await teller.forget(`retentions ${key}`);
      return;
    }
    teller.set(`retentions ${key}`, { gvr: RETENTIONS, object, view: () => this.#view(key) });
    try {
      this.#kept.set(key, {
        ...keeperOf(objectAt(object, node)),
        meter: this.#kept.get(key)?.meter ?? new RateMeter(this.#options.clock),
        series: new Set(),
      });
      this.#held.delete(key);
    } catch (error) {
      this.#kept.delete(key);
      this.#held.set(key, { ...holderOf(object, node), problem: heldBecause(messageOf(error)) });
    }
    await this.#changed();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#subscription?.close();
    await this.#running;
  }

  async #changed(): Promise<void> {
    this.#targets = new Map();
    if (this.#kept.size === 0) {
      this.#subscription?.close();
      this.#subscription = undefined;
      if (this.#held.size === 0) return;
    }
    const store = await this.#openStore();
    if (store === undefined || this.#isClosed) return;
    const keepers: readonly Keeper[] = [...this.#kept.values(), ...this.#held.values()];
    // What none of them matches, such as results of rules, is kept as long as anything.
    store.setRetention(longest(keepers.map(({ plan }) => plan)), ownRetention(keepers));
    if (this.#subscription !== undefined || this.#kept.size === 0) return;
    const subscription = this.#options.values.bus.subscribe({ name: 'recording', limitRows: MAX_WAITING_ROWS });
    this.#subscription = subscription;
    this.#running = this.#record(subscription, store).catch((error: unknown) => this.#begunAnew(subscription, error));
  }

  async #openStore(): Promise<SeriesStore | undefined> {
    try {
      const store = await this.#options.store.open();
      this.#trouble = '';
      return store;
    } catch (error) {
      this.#tryLater(error);
      return undefined;
    }
  }

  #tryLater(error: unknown): void {
    this.#trouble = messageOf(error);
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(RETRY_MS, () => void this.#changed(), { unref: true });
  }

  /** Whatever ended the recording, another one follows. */
  #begunAnew(subscription: Subscription, error: unknown): void {
    this.#options.log.error({ error: messageOf(error) }, 'the recording of series failed');
    if (this.#isClosed || this.#subscription !== subscription) return;
    this.#lost += subscription.dropped;
    this.#subscription = undefined;
    this.#tryLater(error);
  }

  async #record(subscription: Subscription, store: SeriesStore): Promise<void> {
    const builder = new BatchBuilder();
    for await (const batch of subscription) {
      this.#fill(builder, batch, store);
      const recorded = builder.take();
      if (recorded === undefined) continue;
      try {
        const { tooOld, tooNew, refused } = await appendWhenReady(store, recorded);
        this.#lost += tooOld + tooNew + refused;
        this.#trouble = '';
      } catch (error) {
        // A full disk takes nothing; what comes meanwhile is lost, and told.
        this.#lost += recorded.length;
        this.#trouble = messageOf(error);
      }
    }
  }

  #fill(builder: BatchBuilder, batch: Batch, store: SeriesStore): void {
    for (let row = 0; row < batch.length; row++) {
      const id = batch.series[row] ?? 0;
      let target = this.#targets.get(id);
      if (target === undefined && !this.#targets.has(id)) {
        target = this.#targetOf(id, store);
        this.#targets.set(id, target);
      }
      if (target === undefined) continue;
      if (target.id === undefined) {
        this.#lost++;
        continue;
      }
      builder.add(target.id, batch.times[row] ?? 0, valueAt(batch, row), batch.qualities[row] ?? 0);
      for (const { meter } of target.kept) meter.add(1);
    }
  }

  #targetOf(id: SeriesId, store: SeriesStore): Target | undefined {
    const found = busSeries(this.#options.values.series, id);
    if (found === undefined) return undefined;
    const kept = [...this.#kept.values()].filter(
      (each) => each.namespace === found.namespace && each.matches(found.labels),
    );
    if (kept.length === 0) return undefined;
    const own = this.#seriesOf(found, store);
    if (own !== undefined) for (const each of kept) each.series.add(id);
    return { id: own, kept };
  }

  /** One that the store does not take ends none of the others. */
  #seriesOf({ labels, type }: BusSeries, store: SeriesStore): SeriesId | undefined {
    try {
      return store.series(labels, type);
    } catch (error) {
      this.#options.log.warn({ error: messageOf(error) }, 'a series is not recorded');
      return undefined;
    }
  }

  #view(key: string): RetentionNodeStatus {
    const kept = this.#kept.get(key);
    if (kept === undefined) return { state: 'Failed', lastError: this.#held.get(key)?.problem ?? '' };
    const dropped = this.#lost + (this.#subscription?.dropped ?? 0);
    const bytes = this.#options.store.opened?.stats().bytes;
    return {
      state: this.#trouble === '' ? 'Running' : 'Waiting',
      lastError: this.#trouble,
      series: kept.series.size,
      points: kept.meter.total,
      pointsPerSecond: kept.meter.perSecond(),
      ...(bytes === undefined ? {} : { bytes }),
      dropped: dropped === 0 ? {} : { NotTaken: dropped },
    };
  }
}

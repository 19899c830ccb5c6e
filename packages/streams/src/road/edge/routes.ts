/** Routes that are placed on this node: what is on the bus goes the way of each that it matches. */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf } from '@skerry/base';
import { type ControllerSpec, type Informer, keyOf, watching } from '@skerry/kube/controller';
import type { Batch, Bus, SeriesId, SeriesTable, Subscription } from '../../contract/index.ts';
import { valueAt } from '../../contract/index.ts';
import { busSeries } from '../../edge/bus-series.ts';
import { RateMeter } from '../../edge/rate-meter.ts';
import type { StatusTeller } from '../../edge/status-teller.ts';
import { objectAt } from '../../engine/rule/parameters.ts';
import { ROUTES } from '../../kinds/group.ts';
import type { Route, RouteNodeStatus } from '../../kinds/index.ts';
import { openRoad, type Road, type RoadOptions, type RoadRoute } from './road.ts';
import { matcherOf, settingsOf } from './route-settings.ts';
import { createThinner, type Thinner } from './thinner.ts';

export interface RoutesOptions extends RoadOptions {
  readonly node: string;
  readonly routes: Informer<Route>;
  readonly teller: StatusTeller;
  readonly values: { readonly bus: Bus; readonly series: SeriesTable };
}

export interface Routes {
  readonly spec: ControllerSpec;
  /** What is on the bus by now is on disk when it returns, but for steps that are still being thinned. Throws when the disk takes nothing. */
  settle(): void;
  close(): Promise<void>;
}

export function routeController(options: RoutesOptions): Routes {
  const routes = new NodeRoutes(options);
  return {
    spec: {
      name: 'routes',
      watches: [watching(options.routes, ({ object }) => [keyOf(object)])],
      reconcile: async (key) => {
        await routes.reconcile(key);
        return undefined;
      },
    },
    settle: () => routes.settle(),
    close: () => routes.close(),
  };
}

/** What comes while the disk is slow: about ten seconds of a busy node. */
const MAX_WAITING_ROWS = 1_048_576;
/** Values that are thinned out are looked at so often: the last one of a step must not wait for the next one. */
const THIN_MS = 250;

interface Running {
  readonly way: RoadRoute;
  readonly namespace: string;
  readonly matches: (labels: Readonly<Record<string, string>>) => boolean;
  readonly thinner: Thinner | undefined;
  readonly meter: RateMeter;
  metered: number;
}

/** A route that takes a series, and the number that the series has there. */
interface Target {
  readonly running: Running;
  readonly series: number;
}

class NodeRoutes {
  readonly #options: RoutesOptions;
  readonly #running = new Map<string, Running>();
  readonly #failed = new Map<string, string>();
  #targets = new Map<SeriesId, readonly Target[]>();
  #road: Road | undefined;
  #subscription: Subscription | undefined;
  #reading: Promise<void> = Promise.resolve();
  readonly #closing = new AbortController();
  #ticking: Promise<void> | undefined;
  #overrun = 0;

  constructor(options: RoutesOptions) {
    this.#options = options;
    // What an earlier run has left goes on its way, also when no route is placed here any more.
    if (existsSync(options.file)) this.#tryOpen();
  }

  async reconcile(key: string): Promise<void> {
    const { routes, node, teller } = this.#options;
    const route = routes.cache.get(key);
    if (route?.status?.nodes?.includes(node) !== true) {
      this.#stop(key);
      await teller.forget(`routes ${key}`);
      return;
    }
    teller.set(`routes ${key}`, { gvr: ROUTES, object: route, view: () => this.#view(key) });
    this.#start(key, route);
  }

  settle(): void {
    for (let batch = this.#subscription?.take(); batch !== undefined; batch = this.#subscription?.take())
      this.#take(batch);
    for (const { way } of this.#running.values()) way.flush();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#subscription?.close();
    await Promise.all([this.#reading, this.#ticking]);
    for (const { thinner, way } of this.#running.values()) thinner?.finish((...row) => way.add(...row));
    await this.#road?.close();
  }

  #tryOpen(): void {
    try {
      this.#open();
    } catch (error) {
      // The first route that is placed here tries again.
      this.#options.log.warn({ error: messageOf(error) }, 'the queues of routes are not open yet');
    }
  }

  #open(): Road {
    mkdirSync(dirname(this.#options.file), { recursive: true, mode: 0o700 });
    this.#road ??= openRoad(this.#options);
    return this.#road;
  }

  #start(key: string, route: Route): void {
    try {
      const { spec, metadata } = objectAt(route, this.#options.node);
      const way = this.#open().route(key, settingsOf(spec));
      this.#running.get(key)?.thinner?.finish((...row) => way.add(...row));
      this.#running.set(key, {
        way,
        namespace: metadata.namespace ?? '',
        matches: matcherOf(spec),
        thinner: createThinner(spec),
        meter: this.#running.get(key)?.meter ?? new RateMeter(this.#options.clock),
        metered: this.#running.get(key)?.metered ?? way.report().sent,
      });
      this.#failed.delete(key);
    } catch (error) {
      this.#failed.set(key, messageOf(error));
      throw error;
    }
    this.#targets = new Map();
    this.#follow();
  }

  #stop(key: string): void {
    const running = this.#running.get(key);
    if (running === undefined) return;
    running.thinner?.finish((...row) => running.way.add(...row));
    this.#running.delete(key);
    this.#road?.retire(key);
    this.#targets = new Map();
    this.#follow();
  }

  /** Nothing is read from the bus while nothing goes. */
  #follow(): void {
    if (this.#running.size === 0) {
      this.#subscription?.close();
      this.#subscription = undefined;
    } else if (this.#subscription === undefined) {
      const subscription = this.#options.values.bus.subscribe({ name: 'road', limitRows: MAX_WAITING_ROWS });
      this.#subscription = subscription;
      this.#overrun = 0;
      this.#reading = this.#read(subscription);
      this.#ticking ??= this.#tick();
    }
  }

  async #read(subscription: Subscription): Promise<void> {
    for await (const batch of subscription) {
      this.#take(batch);
      const lost = subscription.dropped - this.#overrun;
      this.#overrun = subscription.dropped;
      // Of which routes they would have been, nobody knows any more.
      if (lost > 0) for (const { way } of this.#running.values()) way.countDropped('Overrun', lost);
    }
  }

  #take(batch: Batch): void {
    for (let row = 0; row < batch.length; row++) {
      const id = batch.series[row] ?? 0;
      let targets = this.#targets.get(id);
      if (targets === undefined) {
        targets = this.#targetsOf(id);
        this.#targets.set(id, targets);
      }
      for (const { running, series } of targets) {
        const { way, thinner } = running;
        const time = batch.times[row] ?? 0;
        const quality = batch.qualities[row] ?? 0;
        if (series === TOO_MANY) way.countDropped('TooManySeries', 1);
        else if (thinner === undefined) way.add(series, time, valueAt(batch, row), quality);
        else thinner.take([series, time, valueAt(batch, row), quality], (...kept) => way.add(...kept));
      }
    }
  }

  #targetsOf(id: SeriesId): readonly Target[] {
    const found = busSeries(this.#options.values.series, id);
    if (found === undefined) return [];
    const { namespace, labels, type } = found;
    const own = [...this.#running.values()].filter((each) => each.namespace === namespace && each.matches(labels));
    return own.map((running) => ({ running, series: running.way.series(type, labels) ?? TOO_MANY }));
  }

  async #tick(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await clock.sleep(THIN_MS, signal).catch(() => {});
      for (const { thinner, way } of this.#running.values()) thinner?.look(clock.now(), (...row) => way.add(...row));
    }
  }

  #view(key: string): RouteNodeStatus {
    const running = this.#running.get(key);
    const road = this.#road;
    if (running === undefined || road === undefined)
      return { state: 'Failed', lastError: this.#failed.get(key) ?? 'not started' };
    const { live, late, sent, sentBytes, delivered, dropped, refusal } = running.way.report();
    running.meter.add(Math.max(0, sent - running.metered));
    running.metered = sent;
    const oldest = late.oldest ?? live.oldest;
    return {
      state: road.isConnected ? 'Running' : 'Waiting',
      lastError: road.problem ?? refusal ?? '',
      queuedRows: live.rows + late.rows,
      queuedBytes: live.bytes + late.bytes,
      sentRows: sent,
      acknowledgedRows: delivered,
      sentBytes,
      sentRowsPerSecond: running.meter.perSecond(),
      ...(oldest === undefined ? {} : { oldest: new Date(oldest).toISOString() }),
      dropped: { ...dropped },
    };
  }
}

/** No number of the road's. */
const TOO_MANY = -1;

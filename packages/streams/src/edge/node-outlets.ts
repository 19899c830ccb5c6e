/** Outlets that are placed on this node: what is on the bus goes to them from here. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import { type ControllerSpec, type Informer, keyOf, watching } from '@skerry/kube/controller';
import type { Outlet } from '../kinds/index.ts';
import { busSeries } from './bus-series.ts';
import type { NodeStore } from './node-store.ts';
import type { NodeValues } from './node-values.ts';
import type { StatusTeller } from './status-teller.ts';

export interface NodeOutletsOptions {
  readonly node: string;
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  /** Yields numbers in [0, 1). */
  readonly random: () => number;
  readonly outlets: Informer<Outlet>;
  readonly values: Pick<NodeValues, 'bus' | 'series'>;
  readonly teller: StatusTeller;
  /** What exports are made of. */
  readonly store: Pick<NodeStore, 'existing'>;
  /** The queues of the outlets. */
  readonly file: string;
  /** Files are written in here only. */
  readonly folder: string;
}

export interface NodeOutlets {
  readonly spec: ControllerSpec;
  close(): Promise<void>;
}

/** What comes while the disk is slow. */
const MAX_WAITING_ROWS = 1_048_576;

/** Nothing is loaded before there is one. */
export function nodeOutlets(options: NodeOutletsOptions): NodeOutlets {
  const { node, outlets } = options;
  const isOwn = ({ status }: Outlet): boolean => status?.nodes?.includes(node) === true;
  let running: ReturnType<typeof open> | undefined;
  return {
    spec: {
      name: 'outlets',
      watches: [watching(outlets, ({ object }) => [keyOf(object)])],
      reconcile: async (key, signal) => {
        const object = outlets.cache.get(key);
        if (running === undefined && (object === undefined || !isOwn(object))) return undefined;
        running ??= open(options, isOwn).catch((error: unknown) => {
          running = undefined;
          throw error;
        });
        return (await running).spec.reconcile(key, signal);
      },
    },
    close: async () => (await running?.catch(() => undefined))?.close(),
  };
}

async function open(options: NodeOutletsOptions, isOwn: (outlet: Outlet) => boolean) {
  const { clock, log, random, values, file: path } = options;
  const [{ RoadFile }, { OutletHub }, { outletController }, { anywhere }, { ScheduledExports }] = await Promise.all([
    import('../road/edge/road-file.ts'),
    import('../outlets/outlet-hub.ts'),
    import('../outlets/outlet-controller.ts'),
    import('../outlets/reach.ts'),
    import('../query/export/scheduled-exports.ts'),
  ]);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  await using opening = new AsyncDisposableStack();
  const file = opening.adopt(new RoadFile({ file: path, clock, log }), (opened) => opened.close());
  const describe = (id: number) => busSeries(values.series, id);
  const { folder } = options;
  const hub = new OutletHub({ file, clock, log, random, describe, folder, reach: anywhere });
  opening.defer(() => hub.close());
  const exports = new ScheduledExports({ clock, log, folder, store: () => options.store.existing() });
  opening.defer(() => exports.close());
  const subscription = values.bus.subscribe({ name: 'outlets', limitRows: MAX_WAITING_ROWS });
  const reading = (async () => {
    for await (const batch of subscription) {
      try {
        hub.take(batch);
      } catch (error) {
        log.error({ rows: batch.length, error: messageOf(error) }, 'rows do not reach the outlets');
      }
    }
  })();
  opening.defer(async () => {
    subscription.close();
    await reading;
  });
  const spec = outletController({ ...options, hub, exports, isOwn });
  const opened = opening.move();
  return { spec, close: () => opened.disposeAsync() };
}

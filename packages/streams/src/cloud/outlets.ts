/** Outlets without a placement: the cloud sends what comes into its time series. */
import { mkdirSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { dirname } from 'node:path';
import type { Clock, Logger } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import {
  type ControllerSpec,
  type Informer,
  keyOf,
  runController,
  startInformer,
  watching,
} from '@skerry/kube/controller';
import { StatusTeller } from '../edge/status-teller.ts';
import { OUTLETS } from '../kinds/group.ts';
import type { Outlet } from '../kinds/index.ts';
import type { AllowedTarget } from '../outlets/reach.ts';
import type { Telemetry } from './telemetry.ts';

export interface CloudOutletsOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Yields numbers in [0, 1). */
  readonly random: () => number;
  readonly telemetry: Pick<Telemetry, 'store' | 'handOn'>;
  /** The queues of the outlets. */
  readonly file: string;
  /** Files are written in here only. */
  readonly folder: string;
  /** Of what is for this machine alone, what outlets may connect to. */
  readonly allowed: readonly AllowedTarget[];
}

export interface CloudOutlets {
  readonly ended: Promise<void>;
}

/** In the status, where a node has its name. */
const CLOUD = 'cloud';

const isOwn = ({ spec: { placement } }: Outlet): boolean =>
  placement?.nodeName === undefined && placement?.nodeSelector === undefined;

/**
 * Works until `signal` aborts; nothing is loaded before there is an outlet of the cloud's. Resolves when those that are there already
 * get what comes: before that, no node may bring anything.
 */
export async function startCloudOutlets(options: CloudOutletsOptions): Promise<CloudOutlets> {
  const outlets = startInformer<Outlet>(options, { gvr: OUTLETS });
  let running: ReturnType<typeof open> | undefined;
  const reconcile: ControllerSpec['reconcile'] = async (key, signal) => {
    const object = outlets.cache.get(key);
    if (running === undefined && (object === undefined || !isOwn(object))) return undefined;
    running ??= open(options, outlets).catch((error: unknown) => {
      running = undefined;
      throw error;
    });
    return (await running).spec.reconcile(key, signal);
  };
  await outlets.synced;
  for (const outlet of outlets.cache.list()) await reconcile(keyOf(outlet), options.signal);
  const watches = [watching(outlets, ({ object }) => [keyOf(object)])];
  const work = runController({ name: 'outlets', watches, reconcile }, options);
  return { ended: work.then(async () => (await running)?.close()) };
}

async function open(options: CloudOutletsOptions, outlets: Informer<Outlet>) {
  const { client, clock, log, random, telemetry, file: path } = options;
  const [{ RoadFile }, { OutletHub }, { outletController }, { guardedReach }, { ScheduledExports }] = await Promise.all(
    [
      import('../road/edge/road-file.ts'),
      import('../outlets/outlet-hub.ts'),
      import('../outlets/outlet-controller.ts'),
      import('../outlets/reach.ts'),
      import('../query/export/scheduled-exports.ts'),
    ],
  );
  const store = await telemetry.store();
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  await using opening = new AsyncDisposableStack();
  const file = opening.adopt(new RoadFile({ file: path, clock, log }), (opened) => opened.close());
  const teller = new StatusTeller({ node: CLOUD, client, clock, log });
  opening.defer(() => teller.close());
  const hub = new OutletHub({
    file,
    clock,
    log,
    random,
    folder: options.folder,
    reach: guardedReach({ allowed: options.allowed, ownAddresses }),
    describe: (series) => store.describe(series),
  });
  opening.defer(() => hub.close());
  const exports = new ScheduledExports({ clock, log, folder: options.folder, store: async () => store });
  opening.defer(() => exports.close());
  telemetry.handOn((batch) => {
    hub.take(batch);
    // A node forgets what the store has: what outlets must not lose is on disk before.
    hub.flush();
  });
  opening.defer(() => telemetry.handOn(undefined));
  const spec = outletController({ outlets, client, clock, hub, exports, teller, isOwn, node: undefined });
  const opened = opening.move();
  return { spec, close: () => opened.disposeAsync() };
}

function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address));
}

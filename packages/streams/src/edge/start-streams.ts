/** The half of the data worker that deals in rules: composition only. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock, Logger } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import { type ControllerSpec, keyOf, runController, startInformer, watching } from '@skerry/kube/controller';
import type { LinkStream } from '@skerry/link';
import { OUTLETS, RETENTIONS, ROUTES, RULES, STREAMS, TABLES } from '../kinds/group.ts';
import type { Outlet } from '../kinds/outlet.ts';
import type { Retention } from '../kinds/retention.ts';
import type { Route } from '../kinds/route.ts';
import type { Rule } from '../kinds/rule.ts';
import type { Stream } from '../kinds/stream.ts';
import type { Table } from '../kinds/table.ts';
import { routeController } from '../road/edge/routes.ts';
import { openCheckpoints } from './checkpoints.ts';
import { openMessageLog } from './message-log.ts';
import { nodeOutlets } from './node-outlets.ts';
import { nodeStore } from './node-store.ts';
import type { NodeValues } from './node-values.ts';
import { retentionController } from './retention/retention-controller.ts';
import { ruleController } from './rule-controller.ts';
import { RuleOutputs } from './rule-outputs.ts';
import { serveSeries } from './serve-series.ts';
import { StatusTeller } from './status-teller.ts';
import { StreamHub } from './stream-hub.ts';
import { NodeTables } from './tables/node-tables.ts';

export interface StreamsOptions {
  readonly node: string;
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  /** Where rules keep what they know, and where the files of streams are. */
  readonly folder: string;
  readonly values: NodeValues;
  /** A stream to the cloud's intake of telemetry; rejects while the node is cut off. */
  readonly toCloud: (signal: AbortSignal) => Promise<LinkStream>;
}

export interface Streams {
  /** Answers what is asked of the node’s time series. */
  readonly serve: ReturnType<typeof serveSeries>;
  stop(): Promise<void>;
}

/** In the folder: what streams, tables and sinks of files may name. */
const FILES = 'files';
const CHECKPOINTS = 'checkpoints.db';
const MESSAGES = 'messages.db';
const ROAD = 'road.db';
const OUTLET_QUEUES = 'outlets.db';

export function startStreams(options: StreamsOptions): Streams {
  const { client, clock, log } = options;
  const stopping = new AbortController();
  const context = { client, clock, log, signal: stopping.signal };
  const inFiles = { ...options, folder: join(options.folder, FILES) };
  mkdirSync(inFiles.folder, { recursive: true, mode: 0o700 });
  const rules = startInformer<Rule>(context, { gvr: RULES });
  const streams = startInformer<Stream>(context, { gvr: STREAMS });
  const tables = startInformer<Table>(context, { gvr: TABLES });
  const checkpoints = openCheckpoints(join(options.folder, CHECKPOINTS));
  const teller = new StatusTeller(options);
  const messages = openMessageLog(join(options.folder, MESSAGES));
  const hub = new StreamHub({ ...inFiles, messages });
  const nodeTables = new NodeTables({ ...inFiles, tables, teller });
  const store = nodeStore(options);
  const shared = { rules, streams, tables, checkpoints, teller, hub, nodeTables };
  const telling = streamStatus({ ...options, streams, hub, teller });
  const routes = routeController({
    ...options,
    file: join(options.folder, ROAD),
    open: options.toCloud,
    routes: startInformer<Route>(context, { gvr: ROUTES }),
    teller,
  });
  const running = ruleController({
    ...inFiles,
    ...shared,
    outputs: new RuleOutputs(),
    store: () => store.open(),
    settle: () => routes.settle(),
  });
  const recording = retentionController({
    ...options,
    retentions: startInformer<Retention>(context, { gvr: RETENTIONS }),
    store,
    teller,
  });
  const handingOn = nodeOutlets({
    ...inFiles,
    outlets: startInformer<Outlet>(context, { gvr: OUTLETS }),
    store,
    teller,
    file: join(options.folder, OUTLET_QUEUES),
  });
  const takers = [routes.spec, recording.spec, handingOn.spec];
  const controllers = [
    runController(telling, context),
    // What a rule gives out anew after a crash must not come before whoever takes it.
    reconcileAll(takers, stopping.signal).then(() =>
      Promise.all([...takers, running.spec].map((spec) => runController(spec, context))),
    ),
  ];
  return {
    serve: serveSeries({ store, clock, log }),
    stop: async () => {
      stopping.abort();
      await Promise.all(controllers);
      await running.close();
      // What rules still gave is on the bus by now.
      await routes.close();
      await recording.close();
      await handingOn.close();
      await nodeTables.close();
      await teller.close();
      checkpoints.close();
      messages.close();
      await store.close();
    },
  };
}

/** All that is there now, once; what fails, its controller tries again. Resolves also when `signal` aborts. */
async function reconcileAll(specs: readonly ControllerSpec[], signal: AbortSignal): Promise<void> {
  const firsts = specs.flatMap((spec) =>
    spec.watches.map(async (watch) => {
      await watch.informer.synced;
      for (const object of watch.informer.cache.list())
        for (const key of watch.keys({ type: 'add', object })) await spec.reconcile(key, signal).catch(() => undefined);
    }),
  );
  await Promise.allSettled(firsts);
}

interface StreamStatusOptions {
  readonly node: string;
  readonly streams: ReturnType<typeof startInformer<Stream>>;
  readonly hub: StreamHub;
  readonly teller: StatusTeller;
}

/** Streams that are placed here say how they flow; they do nothing but for the rules that read them. */
function streamStatus({ node, streams, hub, teller }: StreamStatusOptions): ControllerSpec {
  return {
    name: 'streams',
    watches: [watching(streams, ({ object }) => [keyOf(object)])],
    reconcile: async (key) => {
      const object = streams.cache.get(key);
      if (object?.status?.nodes?.includes(node) !== true) {
        await teller.forget(`streams ${key}`);
        return undefined;
      }
      const { namespace = '', name = '' } = object.metadata;
      // Results of a rule need no source.
      const idle = object.spec.source.rule === undefined ? 'Pending' : 'Running';
      const view = () => hub.statusOf(namespace, name) ?? { state: idle, lastError: '', rules: [] };
      teller.set(`streams ${key}`, { gvr: STREAMS, object, view });
      return undefined;
    },
  };
}

/** The cloud's time series and the way into them. Nothing is loaded or opened before the first node brings something, or somebody asks. */
import type { Clock, Logger } from '@skerry/base';
import type { LinkStream } from '@skerry/link';
import type { IntakeLimits, NodeIntake } from '../road/cloud/intake.ts';
import type { SeriesStore } from '../store/index.ts';

export interface TelemetryOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits?: Partial<IntakeLimits>;
}

export interface Telemetry {
  /** Opened with the first call. Rejects while it cannot be opened; whoever asks again, asks anew. */
  store(): Promise<SeriesStore>;
  /** Serves the road's stream of a node, which is who the link says. */
  serve(node: string, stream: LinkStream, signal: AbortSignal): Promise<void>;
  nodes(): readonly NodeIntake[];
  close(): Promise<void>;
}

/** A cloud has more of everything than a node. */
const LIMITS = { headRows: 2_097_152, series: 5_000_000, marks: 1_000_000, openPartitions: 32 };

type Opened = Awaited<ReturnType<typeof open>>;

export function createTelemetry(options: TelemetryOptions): Telemetry {
  let opened: Opened | undefined;
  let opening: Promise<Opened> | undefined;
  const openOnce = async () => {
    try {
      opened = await open(options);
      return opened;
    } catch (error) {
      opening = undefined;
      throw error;
    }
  };
  const get = () => (opening ??= openOnce());
  return {
    store: async () => (await get()).store,
    serve: async (node, stream, signal) => {
      const { intake } = await get();
      await intake.serve(node, stream, signal);
    },
    nodes: () => opened?.intake.nodes() ?? [],
    close: async () => {
      const last = await opening?.catch(() => undefined);
      await last?.store.close();
    },
  };
}

async function open({ directory, clock, log, limits = {} }: TelemetryOptions) {
  const [{ openSeriesStore }, { createIntake }] = await Promise.all([
    import('../store/index.ts'),
    import('../road/cloud/intake.ts'),
  ]);
  const store = await openSeriesStore({ directory, clock, log, limits: LIMITS });
  return { store, intake: createIntake({ store, clock, log, limits }) };
}

/** The cloud's time series and the ways to them. Nothing is loaded or opened before the first node brings something, or somebody asks. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock, Logger } from '@skerry/base';
import type { LinkStream } from '@skerry/link';
import type { Batch } from '../contract/index.ts';
import type { QueryAnswer, QueryRequest } from '../query/http/answer.ts';
import type { SqlRunner } from '../query/sql/run-sql.ts';
import type { MayBring } from '../road/cloud/admittance.ts';
import type { IntakeLimits, NodeIntake } from '../road/cloud/intake.ts';
import type { OwnRetention, RetentionPlan, SeriesStore } from '../store/index.ts';
import type { AnswerSeries } from '../telemetry/series-query.ts';

export interface TelemetryOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** How a query in SQL is run; without it there are none. */
  readonly sql?: SqlRunner;
  readonly limits?: Partial<IntakeLimits>;
}

export interface Telemetry {
  /** Opened with the first call. Rejects while it cannot be opened; whoever asks again, asks anew. */
  store(): Promise<SeriesStore>;
  /** Serves the road's stream of a node, which is who the link says. */
  serve(node: string, stream: LinkStream, signal: AbortSignal): Promise<void>;
  nodes(): readonly NodeIntake[];
  /** From now on, which namespaces' values a node may bring; before, those of all. */
  admit(mayBring: MayBring): void;
  /** Answers what is asked by the virtual kinds. */
  readonly query: AnswerSeries;
  /** Answers what is asked below `TELEMETRY_PATH`; whoever asks was authorized. */
  answer(request: QueryRequest): Promise<QueryAnswer>;
  /** Everything so far as a store of its own in the directory; false where nothing was ever brought. */
  copyTo(directory: string): Promise<boolean>;
  /** Whether it is open or not, now or later. */
  keep(plan: RetentionPlan, own: OwnRetention): void;
  /** Gets each batch before it is on the store's disk; undefined: nobody does. */
  handOn(taker: ((batch: Batch) => void) | undefined): void;
  close(): Promise<void>;
}

/** Of a store that has begun. */
const CATALOG = 'catalog.db';

export const TELEMETRY_PATH = '/telemetry/';

/** A cloud has more of everything than a node. */
const LIMITS = { headRows: 2_097_152, series: 5_000_000, marks: 1_000_000, openPartitions: 32 };

/** Of those in its head and as many again that are being sealed: the rest is for what is new. */
const CROWDED_ROWS = 1.5 * LIMITS.headRows;

type Opened = Awaited<ReturnType<typeof open>>;

export function createTelemetry(options: TelemetryOptions): Telemetry {
  let opened: Opened | undefined;
  let opening: Promise<Opened> | undefined;
  let taker: ((batch: Batch) => void) | undefined;
  let mayBring: MayBring = async () => true;
  let kept: readonly [RetentionPlan, OwnRetention] | undefined;
  const openOnce = async () => {
    try {
      opened = await open(options, {
        onRows: (batch) => taker?.(batch),
        mayBring: (node, namespace) => mayBring(node, namespace),
      });
      if (kept !== undefined) opened.store.setRetention(...kept);
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
    query: async (asked) => {
      const { query } = await get();
      return await query(asked);
    },
    answer: async (request) => {
      const { answer } = await get();
      return await answer(request);
    },
    copyTo: async (directory) => {
      if (opening === undefined && !existsSync(join(options.directory, CATALOG))) return false;
      const { store } = await get();
      await store.copyTo(directory);
      return true;
    },
    keep: (plan, own) => {
      kept = [plan, own];
      opened?.store.setRetention(plan, own);
    },
    handOn: (next) => {
      taker = next;
    },
    admit: (next) => {
      mayBring = next;
    },
    close: async () => {
      const last = await opening?.catch(() => undefined);
      await last?.store.close();
    },
  };
}

interface Hooks {
  readonly onRows: (batch: Batch) => void;
  readonly mayBring: MayBring;
}

async function open(options: TelemetryOptions, { onRows, mayBring }: Hooks) {
  const { directory, clock, log, sql, limits = {} } = options;
  const [{ openSeriesStore }, { createIntake }, { queryEndpoints }, { answerSeriesQuery }] = await Promise.all([
    import('../store/index.ts'),
    import('../road/cloud/intake.ts'),
    import('../query/http/index.ts'),
    import('../telemetry/answer-query.ts'),
  ]);
  const store = await openSeriesStore({ directory, clock, log, limits: LIMITS, onRows });
  const query: AnswerSeries = (asked) => answerSeriesQuery(store, asked, clock.now());
  return {
    store,
    query,
    intake: createIntake({ store, clock, log, limits, mayBring, crowdedRows: CROWDED_ROWS }),
    answer: queryEndpoints({ store, clock, ...(sql === undefined ? {} : { sql }) }),
  };
}

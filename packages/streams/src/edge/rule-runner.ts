/** One rule at work at the node: its flow, between the streams that it reads and its sinks. */
import { type Clock, type Logger, messageOf, type Timer } from '@skerry/base';
import { createFlow, type Flow, type SavedFlow } from '../engine/flow.ts';
import type { LookupTable } from '../engine/lookup.ts';
import type { RowWithMeta } from '../engine/meta.ts';
import { contextOf, limitsOf, type PreparedRule, timingOf } from '../engine/rule/prepare.ts';
import type { RuleNodeStatus, RuleSink } from '../kinds/rule.ts';
import type { StreamSpec } from '../kinds/stream.ts';
import { createContext, type Row } from '../sql/index.ts';
import { ArrivalClock, isNear } from './arrival-clock.ts';
import { RateMeter } from './rate-meter.ts';
import type { Output, RuleOutputs } from './rule-outputs.ts';
import type { Sink } from './sinks/sink.ts';
import { isReadAlone } from './sources/open-source.ts';
import type { Reading, StreamHub } from './stream-hub.ts';
import { StreamTime } from './stream-time.ts';

export interface RuleRunnerOptions {
  readonly namespace: string;
  readonly prepared: PreparedRule;
  readonly clock: Clock;
  readonly log: Logger;
  readonly hub: StreamHub;
  readonly outputs: RuleOutputs;
  readonly tables: ReadonlyMap<string, LookupTable>;
  /** Opens the sink, with what it had saved. */
  readonly openSink: (sink: RuleSink, saved: unknown) => Sink | undefined;
  readonly saved: SavedRule | undefined;
}

/** What a rule knows at a moment. */
export interface SavedRule {
  readonly flow: SavedFlow;
  /** By stream: what it is read from, and how far. */
  readonly positions: Readonly<Record<string, { readonly source: string; readonly position: unknown }>>;
  /** By stream: the time of its newest row. */
  readonly lastTimes?: Readonly<Record<string, number>>;
  readonly sinks: Readonly<Record<string, unknown>>;
  readonly counts: { readonly rowsIn: number; readonly rowsOut: number; readonly late: number };
}

/** The clock is looked at so often, at least, while it has a say. */
const TICK_MS = 1000;
const HOUR_MS = 3_600_000;

export class RuleRunner {
  readonly prepared: PreparedRule;
  readonly key: string;
  readonly #options: RuleRunnerOptions;
  readonly #flow: Flow;
  readonly #streams = new Map<string, StreamTime>();
  readonly #sinks = new Map<string, { readonly sink: Sink; readonly output: Output }>();
  readonly #readings = new Map<string, Reading>();
  readonly #endings: (() => void)[] = [];
  readonly #in: RateMeter;
  readonly #out: RateMeter;
  readonly #arrivals: ArrivalClock;
  #late: number;
  #errors = 0;
  #ahead = 0;
  #lastError = '';
  #latest = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #timerAt = 0;
  #isLooking = false;
  #isClosed = false;
  #isDirty = true;
  /** Of the last save. */
  #positions: ReadonlyMap<string, unknown> = new Map();
  #stateBytes = 0;
  #saveProblem: string | undefined;
  #savedAt = 0;

  constructor(options: RuleRunnerOptions) {
    const { prepared, namespace, saved, clock } = options;
    this.prepared = prepared;
    this.key = `${namespace}/${prepared.name}`;
    this.#options = options;
    this.#in = new RateMeter(clock);
    this.#out = new RateMeter(clock);
    this.#in.total = saved?.counts.rowsIn ?? 0;
    this.#out.total = saved?.counts.rowsOut ?? 0;
    this.#late = saved?.counts.late ?? 0;
    for (const [name, spec] of prepared.streams) {
      const lastTime = saved?.lastTimes?.[name];
      this.#streams.set(name, new StreamTime({ rule: prepared.spec, name, spec, clock, lastTime }));
    }
    this.#flow = this.#createFlow();
    for (const sink of prepared.spec.sinks ?? []) {
      const opened = options.openSink(sink, saved?.sinks[sink.name]);
      if (opened !== undefined) this.#sinks.set(sink.name, { sink: opened, output: sink.output ?? 'Results' });
    }
    // Rows that waited for a table may go on at once.
    if (saved !== undefined) this.#flow.load(saved.flow);
    this.#arrivals = new ArrivalClock(clock, this.#flow.watermark);
  }

  /** Keys of rules whose results it reads. */
  get reads(): readonly string[] {
    return [...this.#streams.values()].flatMap(({ spec }) =>
      spec?.source.rule === undefined ? [] : [`${this.#options.namespace}/${spec.source.rule.name}`],
    );
  }

  /** Whether it knows more than when it was last saved. */
  get isDirty(): boolean {
    return this.#isDirty;
  }

  start(): void {
    this.#safely(() => this.#checkClock());
    const { hub, namespace } = this.#options;
    const streams = [...this.#streams.values()];
    const named = streams.flatMap(({ name, spec }) => (spec === undefined ? [] : [{ namespace, name, spec }]));
    hub.retain(this.key, named);
    for (const state of streams) this.#read(state);
    this.#schedule();
  }

  save(): SavedRule {
    this.#isDirty = false;
    this.#positions = new Map([...this.#streams.values()].map((state) => [state.name, this.#positionOf(state)]));
    const positions = [...this.#positions].map(
      ([name, position]) => [name, { source: sourceText(this.#streams.get(name)?.spec), position }] as const,
    );
    const sinks = [...this.#sinks].map(([name, { sink }]) => [name, sink.save?.()] as const);
    const lastTimes = [...this.#streams.values()].map(({ name, lastTime }) => [name, lastTime] as const);
    return {
      flow: this.#flow.save(),
      positions: Object.fromEntries(positions.filter(([, { position }]) => position !== undefined)),
      lastTimes: Object.fromEntries(lastTimes.flatMap(([name, time]) => (time === undefined ? [] : [[name, time]]))),
      sinks: Object.fromEntries(sinks.filter(([, saved]) => saved !== undefined)),
      counts: { rowsIn: this.#in.total, rowsOut: this.#out.total, late: this.#late },
    };
  }

  /** What was given out by `save` is on disk. */
  saved(bytes: number, time: number): void {
    this.#stateBytes = bytes;
    this.#savedAt = time;
    this.#saveProblem = undefined;
    for (const [name, reading] of this.#readings) reading.saved(this.#positions.get(name));
    for (const { sink } of this.#sinks.values()) sink.saved?.();
  }

  /** It is told, and tried again. */
  notSaved(error: unknown): void {
    this.#isDirty = true;
    this.#saveProblem = `what it knows was not saved: ${messageOf(error)}`;
  }

  /** Its sources are closed, and what was on its way to sinks has arrived. Results of rules that it reads still come. */
  async quiet(): Promise<void> {
    await Promise.all([...this.#readings.values()].map((reading) => reading.close()));
    await Promise.all([...this.#sinks.values()].map(async ({ sink }) => sink.settle?.()));
  }

  /** Nothing comes in or goes out any more: in one breath with the last save, so that it is of all that there was. */
  end(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const end of this.#endings) end();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#sinks.values()].map(({ sink }) => sink.close()));
  }

  status(): RuleNodeStatus {
    const problem = this.#problem();
    const sinks = [...this.#sinks].map(([name, { sink }]) => [name, sink.status()] as const);
    const late = { late: this.#late, errors: this.#errors };
    return {
      state: problem === undefined ? 'Running' : 'Waiting',
      lastError: problem ?? this.#saveProblem ?? this.#lastError,
      rowsIn: this.#in.total,
      rowsOut: this.#out.total,
      rowsInPerSecond: this.#in.perSecond(),
      rowsOutPerSecond: this.#out.perSecond(),
      ...(Number.isFinite(this.#latest)
        ? { lagMs: Math.max(0, Math.round(this.#options.clock.now() - this.#latest)) }
        : {}),
      ...late,
      dropped: this.#dropped(),
      keys: this.#flow.keys(),
      windowRows: this.#flow.windowRows(),
      stateBytes: this.#stateBytes,
      ...(this.#savedAt === 0 ? {} : { lastCheckpointTime: new Date(this.#savedAt).toISOString() }),
      sinks: Object.fromEntries(sinks),
      operators: this.#flow.counters().map(({ id, kind, says, rowsIn, rowsOut, errors }) => ({
        id,
        operator: says === '' ? kind : says,
        rowsIn,
        rowsOut,
        errors,
      })),
    };
  }

  #createFlow(): Flow {
    const { prepared, clock, tables, outputs } = this.#options;
    const { plan, spec, streams } = prepared;
    return createFlow({
      plan,
      limits: limitsOf(spec),
      createContext: (meta) => createContext({ ...contextOf(prepared), now: () => clock.now(), meta }),
      timing: (stream) => timingOf(spec, streams.get(stream)),
      table: (table) => tables.get(table) ?? NO_ROWS,
      onRows: (rows, time) => this.#give('Results', rows, time),
      onLate: (_stream, row, time) => {
        this.#late++;
        this.#give('Late', [row], time);
      },
      onError: (_operator, error) => {
        this.#errors++;
        this.#lastError = messageOf(error);
      },
      onWatermark: (time) => {
        if (!this.#isClosed) outputs.advance(this.key, time);
      },
    });
  }

  #give(output: Output, rows: readonly Row[], time: number): void {
    // What a table still owed then is asked for again.
    if (this.#isClosed) return;
    this.#isDirty = true;
    if (output === 'Results') this.#out.add(rows.length);
    const at = Number.isFinite(time) ? time : this.#arrivals.now();
    for (const each of this.#sinks.values()) if (each.output === output) each.sink.take(rows, at);
    this.#options.outputs.publish(this.key, output, rows, time);
  }

  #read(state: StreamTime): void {
    const { hub, outputs, namespace } = this.#options;
    const { name, spec } = state;
    if (spec === undefined) return;
    const { rule } = spec.source;
    if (rule !== undefined) {
      const end = outputs.read(`${namespace}/${rule.name}`, rule.output ?? 'Results', {
        rows: (rows, time) => {
          for (const row of rows) this.#take(state, row, time);
        },
        watermark: (time) => {
          if (!state.isClocked) this.#safely(() => this.#flow.advance(name, time));
        },
        isFull: () => this.#isFull(),
        setBack: (time) => this.#safely(() => this.#setBack(time)),
      });
      this.#endings.push(end);
      return;
    }
    const reader = {
      name: this.key,
      row: (row: RowWithMeta, time: number | undefined) => this.#take(state, row, time),
      isFull: () => this.#isFull(),
      end: () => this.#safely(() => this.#flow.advance(name, Number.POSITIVE_INFINITY)),
    };
    const stream = { namespace, name, spec };
    const position = this.#savedPosition(state);
    const read = isReadAlone(spec) ? hub.readAlone(stream, reader, position) : hub.read(stream, reader, position);
    this.#readings.set(name, read);
  }

  #isFull(): boolean {
    const isOwn = [...this.#sinks.values()].some(({ sink }) => sink.isFull?.() === true);
    return isOwn || this.#options.outputs.isFull(this.key);
  }

  /** A stream that is not read yet is where it was saved. */
  #positionOf(state: StreamTime): unknown {
    return this.#readings.get(state.name)?.position() ?? this.#savedPosition(state);
  }

  #savedPosition({ name, spec }: StreamTime): unknown {
    const known = this.#options.saved?.positions[name];
    return known?.source === sourceText(spec) ? known.position : undefined;
  }

  #take(state: StreamTime, row: RowWithMeta, time: number | undefined): void {
    if (this.#isClosed) return;
    this.#isDirty = true;
    this.#in.add(1);
    const at = state.isClocked || time === undefined ? this.#arrivals.now() : time;
    // One row from the future would make every row until then late.
    if (state.isLive && !isNear(at, this.#options.clock.now())) {
      this.#ahead++;
      return;
    }
    state.saw(at);
    if (at > this.#latest) this.#latest = at;
    this.#safely(() => {
      this.#checkClock();
      this.#flow.offer(state.name, row, at);
    });
    if (this.#isLooking) return;
    // Once for all rows that come in the same breath.
    this.#isLooking = true;
    queueMicrotask(() => {
      this.#isLooking = false;
      this.#schedule();
    });
  }

  /** Whatever goes wrong with a row here is told here: neither its source nor other rules hear of it. */
  #safely(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#errors++;
      this.#lastError = messageOf(error);
    }
  }

  /** A flow that is far ahead of the clock has followed one that was wrong; it would wait for ever, and find everything late. */
  #checkClock(): void {
    const now = this.#options.clock.now();
    const { watermark } = this.#flow;
    if (!this.#followsClock || isNear(watermark, now) || watermark === Number.POSITIVE_INFINITY) return;
    const hours = Math.round((watermark - now) / HOUR_MS);
    this.#lastError = `the clock was set back by ${hours} h: what windows held was given out, and time begins anew`;
    this.#options.log.warn({ rule: this.key, hours }, 'the clock was set back; time begins anew');
    this.#setBack(now);
  }

  /** Rows of files, and results of others, may be of any time. */
  get #followsClock(): boolean {
    const states = [...this.#streams.values()];
    return states.length > 0 && states.every(({ isClocked, isLive }) => isClocked || isLive);
  }

  #setBack(time: number): void {
    this.#isDirty = true;
    for (const state of this.#streams.values()) state.setBack(time);
    this.#latest = Number.NEGATIVE_INFINITY;
    this.#flow.setBack(time);
    this.#options.outputs.setBack(this.key, time);
  }

  #schedule(): void {
    if (this.#isClosed) return;
    const states = [...this.#streams.values()];
    const isClocked = states.some((state) => state.isClocked);
    const due = isClocked ? this.#flow.due() : undefined;
    // Who reads its results learns from it what time it is.
    const isAsked = isClocked && this.#options.outputs.isRead(this.key);
    if (due === undefined && !isAsked && !states.some(({ isLive }) => isLive)) return;
    const { clock } = this.#options;
    const delay = due === undefined ? TICK_MS : Math.min(TICK_MS, Math.max(0, due - this.#arrivals.now()));
    const at = clock.monotonic() + delay;
    if (this.#timer !== undefined && at >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = clock.after(delay, () => this.#tick(), { unref: true });
  }

  #tick(): void {
    this.#timer = undefined;
    this.#safely(() => this.#checkClock());
    const now = this.#arrivals.now();
    for (const state of this.#streams.values()) {
      if (state.isClocked) this.#safely(() => this.#flow.advance(state.name, now));
      else if (state.isLive) this.#safely(() => this.#passSilence(state));
    }
    this.#schedule();
  }

  /** What is silent for long holds nothing back; its time goes on as that of the clock. */
  #passSilence({ name, silence }: StreamTime): void {
    if (silence === 'idle') this.#flow.setIdle(name);
    else if (silence !== undefined) this.#flow.advance(name, silence);
  }

  #problem(): string | undefined {
    for (const { name, spec } of this.#streams.values()) {
      if (spec === undefined) return `there is no stream ${name}`;
      const problem = this.#readings.get(name)?.problem();
      if (problem !== undefined) return `stream ${name}: ${problem}`;
    }
    return undefined;
  }

  #dropped(): Readonly<Record<string, number>> {
    const dropped = new Map(this.#flow.dropped());
    if (this.#ahead > 0) dropped.set('AheadOfClock', this.#ahead);
    const lost = [...this.#sinks.values()].reduce((sum, { sink }) => sum + sink.dropped(), 0);
    if (lost > 0) dropped.set('SinkFull', (dropped.get('SinkFull') ?? 0) + lost);
    return Object.fromEntries(dropped);
  }
}

const NO_ROWS: LookupTable = { find: () => [] };

/** A position means something only to the same source; of a file, however fast it is read. */
function sourceText(spec: StreamSpec | undefined): string {
  const { file } = spec?.source ?? {};
  return JSON.stringify(file === undefined ? (spec?.source ?? null) : { file: file.path });
}

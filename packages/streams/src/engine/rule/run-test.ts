/** A rule on rows that are given, under a clock that follows them: its own test cases, and recorded data. Pure. */
import { messageOf } from '@skerry/base';
import type { RuleTest } from '../../kinds/rule.ts';
import { createContext, type Row, RowError } from '../../sql/index.ts';
import { createFlow, type Flow } from '../flow.ts';
import type { LookupTable } from '../lookup.ts';
import type { Counters } from '../runtime.ts';
import { contextOf, isTimedByArrival, limitsOf, millisecondsOf, type PreparedRule, timingOf } from './prepare.ts';
import { describe, type ReadRow, rowReader } from './read-row.ts';

export interface GivenRow {
  readonly stream?: string;
  /** When it comes, in milliseconds from the beginning. */
  readonly at: number;
  readonly row: unknown;
}

export interface Replay {
  readonly results: readonly Row[];
  readonly late: readonly Row[];
  readonly errors: readonly string[];
  readonly dropped: ReadonlyMap<string, number>;
  readonly counters: readonly Counters[];
}

export interface ReplayOptions {
  readonly tables?: ReadonlyMap<string, LookupTable>;
  /** Called with each result as it comes, with when that is. */
  readonly onRow?: (row: Row, time: number) => void;
  /** Asked again and again; when it throws, the replay ends with that. */
  readonly checkTime?: () => void;
}

/** The first errors are told; those beyond these are not. */
const MAX_ERRORS = 100;
/** Of what is said of a row: whatever it holds, people and the cloud are told no more. */
const MAX_TEXT = 2000;

export function replay(rule: PreparedRule, input: Iterable<GivenRow>, options: ReplayOptions = {}): Replay {
  return new Replaying(rule, options).run(input);
}

class Replaying {
  readonly #rule: PreparedRule;
  readonly #flow: Flow;
  readonly #readers = new Map<string, ReadRow>();
  /** Streams whose rows are of when they come. */
  readonly #clocked: readonly string[];
  readonly #results: Row[] = [];
  readonly #late: Row[] = [];
  readonly #errors: string[] = [];
  readonly #checkTime: () => void;
  #now = 0;

  constructor(rule: PreparedRule, { tables, onRow, checkTime = () => {} }: ReplayOptions) {
    const { spec, streams, plan } = rule;
    this.#rule = rule;
    this.#checkTime = checkTime;
    this.#clocked = [...streams].filter(([, stream]) => isTimedByArrival(spec, stream)).map(([each]) => each);
    for (const [each, stream] of streams) this.#readers.set(each, rowReader(stream ?? {}));
    this.#flow = createFlow({
      plan,
      limits: limitsOf(spec),
      createContext: (meta) => createContext({ ...contextOf(rule), now: () => this.#now, meta }),
      timing: (stream) => timingOf(spec, streams.get(stream)),
      table: (table) => tables?.get(table) ?? EMPTY_TABLE,
      onRows: (rows, time) => {
        for (const row of rows) {
          this.#results.push(row);
          onRow?.(row, time);
        }
      },
      onLate: (_stream, row) => this.#late.push(row),
      onError: (_operator, error) => this.#fail(error),
    });
  }

  run(input: Iterable<GivenRow>): Replay {
    for (const given of input) this.#take(given);
    for (const stream of this.#flow.streams) this.#flow.advance(stream, Number.POSITIVE_INFINITY);
    return {
      results: this.#results,
      late: this.#late,
      errors: this.#errors,
      dropped: this.#flow.dropped(),
      counters: this.#flow.counters(),
    };
  }

  #take({ stream, at, row }: GivenRow): void {
    this.#checkTime();
    this.#pass(at);
    try {
      const name = stream ?? this.#onlyStream();
      const read = this.#readers.get(name);
      if (read === undefined) throw new RowError(`the rule reads no stream ${name}`);
      const { row: made, time } = read(row);
      const isClocked = this.#clocked.includes(name);
      this.#flow.offer(name, made, isClocked || time === undefined ? this.#now : time);
      if (isClocked) this.#flow.advance(name, this.#now);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Lets the clock go on until then, with all that happens on the way. */
  #pass(at: number): void {
    for (let due = this.#flow.due(); due !== undefined && due < at && due > this.#now; due = this.#flow.due())
      this.#tick(due);
    if (at > this.#now) this.#tick(at);
  }

  #tick(now: number): void {
    this.#checkTime();
    this.#now = now;
    for (const stream of this.#clocked) this.#flow.advance(stream, now);
  }

  #onlyStream(): string {
    const [only, ...more] = this.#rule.streams.keys();
    if (only === undefined || more.length > 0) throw new RowError('a row must say which stream it is of');
    return only;
  }

  /** What a function throws because its time is over looks like an error of the row. */
  #fail(error: unknown): void {
    this.#checkTime();
    if (this.#errors.length < MAX_ERRORS) this.#errors.push(shortened(messageOf(error)));
  }
}

const EMPTY_TABLE: LookupTable = { find: () => [] };

/** Undefined when the rule passes; else, in words, how its results differ. */
export function failureOf(rule: PreparedRule, test: RuleTest, options: ReplayOptions = {}): string | undefined {
  const { results, late, errors } = replay(rule, rowsOf(test), options);
  const difference =
    differenceOf('result', test.expected, results) ??
    (test.late === undefined ? undefined : differenceOf('late row', test.late, late));
  if (difference === undefined) return undefined;
  const [error] = errors;
  return error === undefined ? difference : `${difference}; ${errors.length} rows failed, the first: ${error}`;
}

function rowsOf({ input }: RuleTest): readonly GivenRow[] {
  let at = 0;
  return input.map((each) => {
    at = millisecondsOf(each.at, at);
    return { at, row: each.row, ...(each.stream === undefined ? {} : { stream: each.stream }) };
  });
}

function differenceOf(what: string, expected: readonly unknown[], actual: readonly Row[]): string | undefined {
  for (const [at, row] of expected.entries()) {
    if (at >= actual.length) return `${what} ${at + 1} of ${expected.length} is missing: ${describe(row)}`;
    if (!isSame(row, plain(actual[at]))) return `${what} ${at + 1} is ${jsonOf(plain(actual[at]))}, not ${jsonOf(row)}`;
  }
  if (actual.length === expected.length) return undefined;
  return `there are ${actual.length} ${what}s, not ${expected.length}; the first too many is ${describe(plain(actual[expected.length]))}`;
}

function jsonOf(value: unknown): string {
  return shortened(JSON.stringify(value));
}

function shortened(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}

/** As it stands in JSON. */
export function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
}

/** Sums of floats may differ in what no one has written down. */
const TOLERANCE = 1e-9;

function isSame(expected: unknown, actual: unknown): boolean {
  if (expected === null || expected === undefined) return actual === null || actual === undefined;
  if (typeof expected === 'number' && typeof actual === 'number')
    return (
      expected === actual || Math.abs(expected - actual) <= TOLERANCE * Math.max(Math.abs(expected), Math.abs(actual))
    );
  if (typeof expected !== 'object' || typeof actual !== 'object' || actual === null) return expected === actual;
  if (Array.isArray(expected) !== Array.isArray(actual)) return false;
  const [one, other] = [expected as Readonly<Record<string, unknown>>, actual as Readonly<Record<string, unknown>>];
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].every((name) => isSame(one[name], other[name]));
}

/**
 * What every driver must do, as tests: a driver's test file gives a way to make a device and to break it, and gets these.
 * They say what the worker relies on; a driver that passes them can be trusted with a plant.
 */
import assert from 'node:assert/strict';
import type { Clock, Logger } from '@skerry/base';
import { compileCodec } from '../../values/codec.ts';
import type { RawValue } from '../../values/encoding.ts';
import { isSameValue, type Value } from '../../values/value.ts';
import type { DeviceSettings, Driver, DriverContext, Point, SampleSink, Session } from '../driver.ts';
import { type DriverError, isDriverError } from '../driver-error.ts';

export { pointOf } from './points.ts';
export { settingsOf } from './settings.ts';

/** A driver and a device of its own. */
export interface ConformanceBench extends AsyncDisposable {
  readonly driver: Driver;
  readonly clock: Clock;
  readonly log: Logger;
  readonly settings: DeviceSettings;
  /** Two at least; what the device holds at first is `values`, and it can also hold `others`. */
  readonly points: readonly Point[];
  readonly values: readonly Value[];
  readonly others: readonly Value[];
  /** Changes what the device holds, not through the driver. `raw`: as the driver would write it. */
  set(index: number, value: RawValue): Promise<void>;
  /** What the device holds, to be compared with `values` and `others` after decoding. */
  get(index: number): Promise<RawValue>;
  /** Something that the device does not have. */
  readonly absent?: Point;
  /** Makes time pass, where the clock is not the machine's, until the promise has settled. */
  settle<T>(promise: Promise<T>): Promise<T>;
  /** The device goes away with every connection, until `heal`. */
  cut(): Promise<void>;
  /** The device keeps its connections and answers nothing, until `heal`. */
  silence(): Promise<void>;
  /** The device answers with bytes that are no protocol, until `heal`. */
  garble?(): Promise<void>;
  heal(): Promise<void>;
}

/** What the driver and its bench can do beyond reading: each has promises of its own. */
export type Trait = 'writes' | 'subscribes' | 'lacks' | 'garbles';

export type TestFunction = (name: string, body: () => Promise<void>) => unknown;

/** `lacks`: the bench names a point that is absent; `garbles`: it can answer with bytes that are no protocol. */
export function conformanceTests(
  test: TestFunction,
  name: string,
  traits: readonly Trait[],
  open: () => Promise<ConformanceBench>,
): void {
  for (const { promise, needs, keep } of PROMISES) {
    if (needs !== undefined && !traits.includes(needs)) continue;
    test(`${name}: ${promise}`, async () => {
      await using bench = await open();
      await keep(new Trial(bench));
    });
  }
  test(`${name}: its sessions have the traits that are tested, and no others`, async () => {
    await using bench = await open();
    const session = await new Trial(bench).connect();
    const has = { writes: session.write !== undefined, subscribes: session.subscribe !== undefined };
    assert.deepEqual(has, { writes: traits.includes('writes'), subscribes: traits.includes('subscribes') });
  });
}

interface KeptPromise {
  readonly promise: string;
  readonly needs?: Trait;
  readonly keep: (trial: Trial) => Promise<void>;
}

const PROMISES: readonly KeptPromise[] = [
  {
    promise: 'every point is read once and has the value that the device holds',
    keep: async (trial) => {
      const session = await trial.connect();
      trial.expect(await trial.read(session), trial.bench.values);
      await trial.holdOthers();
      trial.expect(await trial.read(session), trial.bench.others);
    },
  },

  {
    promise: 'reads that overlap do not mix',
    keep: async (trial) => {
      const session = await trial.connect();
      const seen = await trial.bench.settle(Promise.all(Array.from({ length: 8 }, () => trial.start(session))));
      for (const each of seen) trial.expect(each, trial.bench.values);
    },
  },

  {
    promise: 'what the device does not have fails alone',
    needs: 'lacks',
    keep: async (trial) => {
      const { absent, points, values } = trial.bench;
      assert.ok(absent !== undefined);
      const session = await trial.connect();
      const seen = await trial.read(session, [...points, absent]);
      assert.ok(isDriverError(seen.at(-1), 'NotFound', 'Rejected', 'Misconfigured'), String(seen.at(-1)));
      trial.expect(seen.slice(0, -1), values);
      trial.expect(await trial.read(session), values);
    },
  },

  {
    promise: 'what is written is in the device when the write resolves',
    needs: 'writes',
    keep: async (trial) => {
      const session = await trial.connect();
      assert.ok(session.write !== undefined);
      const writes = trial.bench.points.map((point, index) => ({
        point,
        value: trial.encode(index, trial.bench.others[index], session.wantsBytes === true),
      }));
      const outcomes = await trial.bench.settle(session.write(writes, trial.signal));
      assert.deepEqual(
        outcomes,
        writes.map(() => undefined),
      );
      for (const index of trial.bench.points.keys()) {
        const held = trial.decode(index, await trial.bench.get(index));
        assert.ok(isSameValue(held, trial.bench.others[index] ?? 0), `${String(held)} of point ${index}`);
      }
    },
  },

  {
    promise: 'a subscription tells what there is, and then what changes',
    needs: 'subscribes',
    keep: async (trial) => {
      const session = await trial.connect();
      assert.ok(session.subscribe !== undefined);
      const sink = trial.sink();
      await trial.bench.settle(session.subscribe(trial.bench.points, sink, trial.signal));
      await trial.until(() => trial.isSeen(sink.seen, trial.bench.values));
      await trial.holdOthers();
      await trial.until(() => trial.isSeen(sink.seen, trial.bench.others));
      trial.abort();
    },
  },

  {
    promise: 'a device that does not answer is TimedOut, and read again when it does',
    keep: async (trial) => {
      const session = await trial.connect();
      await trial.bench.silence();
      const error = await trial.failure(trial.read(session));
      assert.ok(isDriverError(error, 'TimedOut', 'Unreachable'), String(error));
      await trial.bench.heal();
      trial.expect(await trial.read(await trial.connect()), trial.bench.values);
    },
  },

  {
    promise: 'a device that goes away ends the session, says why, and can be connected to again',
    keep: async (trial) => {
      const session = await trial.connect();
      await trial.bench.cut();
      // Some protocols notice only when they ask.
      const reading = trial.failure(trial.read(session));
      const why = await trial.bench.settle(session.ended);
      assert.ok(isDriverError(why), 'ended says what ended it');
      assert.ok(isDriverError(await reading));
      await trial.bench.heal();
      trial.expect(await trial.read(await trial.connect()), trial.bench.values);
    },
  },

  {
    promise: 'a device that is not there cannot be connected to, and the error says so',
    keep: async (trial) => {
      await trial.bench.cut();
      const error = await trial.failure(trial.connect());
      assert.ok(isDriverError(error, 'Unreachable', 'TimedOut'), String(error));
    },
  },

  {
    promise: 'bytes that are no protocol are an error and no value',
    needs: 'garbles',
    keep: async (trial) => {
      assert.ok(trial.bench.garble !== undefined);
      const session = await trial.connect();
      await trial.bench.garble();
      const error = await trial.failure(trial.read(session));
      assert.ok(isDriverError(error), String(error));
      await trial.bench.heal();
      trial.expect(await trial.read(await trial.connect()), trial.bench.values);
    },
  },

  {
    promise: 'a read that is given up ends soon, and harms no other',
    keep: async (trial) => {
      const session = await trial.connect();
      await trial.bench.silence();
      const giveUp = new AbortController();
      const reading = trial.failure(session.group(trial.bench.points).read(trial.sink(), giveUp.signal));
      giveUp.abort();
      assert.ok(isDriverError(await reading), String(await reading));
    },
  },

  {
    promise: 'closing ends what runs, twice is harmless, and nothing is left that answers',
    keep: async (trial) => {
      const session = await trial.connect();
      await trial.bench.silence();
      const reading = trial.failure(trial.start(session));
      await Promise.all([session.close(), session.close()]);
      assert.equal(await trial.bench.settle(session.ended), undefined);
      assert.ok(isDriverError(await reading), String(await reading));
      assert.ok(isDriverError(await trial.failure(trial.start(session))));
    },
  },
];

type Seen = (Value | DriverError | undefined)[];

interface RecordingSink extends SampleSink {
  readonly seen: Seen;
}

class Trial {
  readonly bench: ConformanceBench;
  readonly #aborting = new AbortController();

  constructor(bench: ConformanceBench) {
    this.bench = bench;
  }

  get signal(): AbortSignal {
    return this.#aborting.signal;
  }

  abort(): void {
    this.#aborting.abort();
  }

  connect(): Promise<Session> {
    const { driver, settings, clock, log } = this.bench;
    const context: DriverContext = { clock, log, signal: this.signal };
    return this.bench.settle(driver.connect(settings, context));
  }

  read(session: Session, points: readonly Point[] = this.bench.points): Promise<Seen> {
    return this.bench.settle(this.start(session, points));
  }

  async start(session: Session, points: readonly Point[] = this.bench.points): Promise<Seen> {
    const sink = this.sink(points);
    await session.group(points).read(sink, this.signal);
    assert.equal(sink.seen.length, points.length, 'every point is told, none twice');
    return sink.seen;
  }

  sink(points: readonly Point[] = this.bench.points): RecordingSink {
    const codecs = points.map(({ type, encoding }) => compileCodec(type, undefined, encoding));
    const seen: Seen = [];
    return {
      seen,
      value: (index, raw) => {
        seen[index] = codecs[index]?.decode(raw);
      },
      fail: (index, error) => {
        seen[index] = error;
      },
    };
  }

  expect(seen: Seen, values: readonly Value[]): void {
    assert.ok(
      this.isSeen(seen, values),
      `read ${seen.map(String).join(', ')}; expected ${values.map(String).join(', ')}`,
    );
  }

  isSeen(seen: Seen, values: readonly Value[]): boolean {
    return values.every((value, index) => {
      const each = seen[index];
      return each !== undefined && !isDriverError(each) && isSameValue(each, value);
    });
  }

  async holdOthers(): Promise<void> {
    for (const [index, value] of this.bench.others.entries())
      await this.bench.set(index, this.encode(index, value, false));
  }

  encode(index: number, value: Value | undefined, asBytes: boolean): RawValue {
    const point = this.bench.points[index];
    assert.ok(point !== undefined && value !== undefined);
    return compileCodec(point.type, undefined, point.encoding).encode(value, asBytes);
  }

  decode(index: number, raw: RawValue): Value {
    const point = this.bench.points[index];
    assert.ok(point !== undefined);
    return compileCodec(point.type, undefined, point.encoding).decode(raw);
  }

  /** What the promise rejects with. */
  async failure(promise: Promise<unknown>): Promise<unknown> {
    try {
      await this.bench.settle(promise);
    } catch (error) {
      return error;
    }
    return undefined;
  }

  /** Lets time pass until it is so. */
  async until(isSo: () => boolean): Promise<void> {
    for (let turn = 0; turn < MAX_TURNS; turn++) {
      if (isSo()) return;
      await this.bench.settle(this.bench.clock.sleep(TURN_MS));
    }
    assert.fail('what was expected never came');
  }
}

const TURN_MS = 20;
const MAX_TURNS = 1500;

/** What came, what went on and why the rest did not, as the counters of a device say it: each step of cleaning alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Quality } from '@skerry/streams/contract';
import { fakeClock } from '@skerry/testkit';
import { resolveModel } from '../../models/resolve-model.ts';
import type { Visitor } from '../../resources/device.ts';
import type { DeviceCounters } from '../../resources/device-status.ts';
import { compileCodec } from '../../values/codec.ts';
import type { RawValue } from '../../values/encoding.ts';
import type { Value } from '../../values/value.ts';
import { DriverError } from '../driver-error.ts';
import type { PlannedPoint } from './device-plan.ts';
import { Pipeline } from './pipeline.ts';

const MODEL = {
  apiVersion: 'devices.skerry.io/v1alpha1',
  kind: 'DeviceModel',
  metadata: { name: 'model' },
  spec: { properties: [{ name: 'level', type: 'float64', unit: 'Cel', minimum: 0, maximum: 100 }] },
};

function plannedWith(visitor: Partial<Visitor>): PlannedPoint {
  const model = resolveModel('model', () => MODEL);
  const property = typeof model === 'string' ? undefined : model.properties.get('level');
  assert.ok(property !== undefined);
  const { valueType: type } = property;
  const codec = compileCodec(type, property.unit, visitor.encoding);
  const point = { property: 'level', address: {}, type, encoding: {}, size: 8 };
  return { point, property, visitor: { property: 'level', address: {}, ...visitor }, codec, series: 0 };
}

/** A raw value, when it comes, and the time that the device gives it where that is another. */
type Came = readonly [raw: RawValue, at: number, time?: number];

interface Expected {
  readonly dropped?: DeviceCounters['dropped'];
  /** When the last looking around is, after everything has come. */
  readonly until?: number;
  /** Value and quality of each that went on. */
  readonly out: readonly (readonly [Value, number] | Value)[];
}

async function check(
  visitor: Partial<Visitor>,
  came: readonly Came[],
  { dropped = {}, until, out }: Expected,
): Promise<void> {
  const clock = fakeClock();
  const began = clock.now();
  const planned = plannedWith(visitor);
  const went: (readonly [Value, number])[] = [];
  const publisher = {
    add: (_series: number, _time: number, value: Value, quality: number) => void went.push([value, quality]),
    flush: () => {},
  };
  const pipeline = new Pipeline({ clock, publisher, points: [planned] });
  const sink = pipeline.sinkFor([planned]);
  for (const [raw, at, time] of came) {
    await clock.advance(began + at - clock.now());
    pipeline.sweep();
    sink.value(0, raw, time === undefined ? undefined : began + time);
  }
  if (until !== undefined) {
    await clock.advance(began + until - clock.now());
    pipeline.sweep();
  }
  const expected = out.map((each) => (Array.isArray(each) ? each : [each, Quality.good]));
  assert.deepEqual(went, expected);
  assert.deepEqual(pipeline.counters(), { in: came.length, out: went.length, dropped });
}

test('out of range is counted where it is dropped, and marked where it is not', async () => {
  await check(
    { cleaning: { outOfRange: 'Drop' } },
    [
      [101, 0],
      [5, 1],
    ],
    { dropped: { OutOfRange: 1 }, out: [5] },
  );
  await check({ cleaning: { outOfRange: 'Flag' } }, [[101, 0]], { out: [[101, Quality.outOfRange]] });
  await check({ cleaning: { outOfRange: 'Clamp' } }, [[101, 0]], { out: [[100, Quality.outOfRange]] });
  await check({ cleaning: { outOfRange: 'Keep' } }, [[101, 0]], { out: [101] });
});

test('a deadband counts what it holds back, absolute and in percent of the range', async () => {
  const came = [
    [10, 0],
    [10.9, 1],
    [11.1, 2],
  ] as const;
  await check({ cleaning: { deadband: { absolute: 1 } } }, came, { dropped: { Deadband: 1 }, out: [10, 11.1] });
  await check({ cleaning: { deadband: { percent: 1 } } }, came, { dropped: { Deadband: 1 }, out: [10, 11.1] });
});

test('what does not change, comes too soon or comes twice is counted by its reason', async () => {
  await check(
    { cleaning: { changeOnly: true } },
    [
      [5, 0],
      [5, 1],
      [6, 2],
    ],
    { dropped: { Unchanged: 1 }, out: [5, 6] },
  );
  await check(
    { cleaning: { minInterval: '100ms' } },
    [
      [5, 0],
      [6, 50],
      [7, 99],
    ],
    { dropped: { MinInterval: 1 }, until: 100, out: [5, 7] },
  );
  // The last before the device is not to be understood any more is not lost with it.
  await check(
    { cleaning: { minInterval: '100ms' } },
    [
      [5, 0],
      [6, 50],
      ['nonsense', 60],
    ],
    { dropped: { Undecodable: 1 }, until: 200, out: [5, 6, [Number.NaN, Quality.configurationError]] },
  );
  await check(
    {},
    [
      [5, 0, 0],
      [5, 1, 0],
      [5, 2, 2],
    ],
    { dropped: { Duplicate: 1 }, out: [5, 5] },
  );
  await check(
    { cleaning: { dedupe: false } },
    [
      [5, 0, 0],
      [5, 1, 0],
    ],
    { out: [5, 5] },
  );
});

test('scale, offset, bits and units are at work before anything is judged, and drop nothing', async () => {
  await check({ encoding: { scale: 0.1, offset: -20 } }, [[500, 0]], { out: [30] });
  await check({ encoding: { type: 'uint16', bitMask: '0x00f0' } }, [[0xabcd, 0]], { out: [0xc] });
  await check({ encoding: { unit: 'K' } }, [[300.15, 0]], { out: [27] });
});

test('filters smooth what goes on, and drop nothing', async () => {
  const came = [
    [1, 0],
    [9, 1],
    [2, 2],
  ] as const;
  await check({ cleaning: { filter: { type: 'Median', window: 3 } } }, came, { out: [1, 5, 2] });
  await check({ cleaning: { filter: { type: 'Mean', window: 3 } } }, came, { out: [1, 5, 4] });
  await check({ cleaning: { filter: { type: 'Exponential', alpha: 0.5 } } }, came, { out: [1, 5, 3.5] });
});

test('what comes no more is told once as stale, and what cannot be understood as bad', async () => {
  await check(
    { cleaning: { staleAfter: '1s' } },
    [
      [5, 0],
      [6, 2000],
    ],
    { out: [5, [5, Quality.stale], 6] },
  );
  await check(
    {},
    [
      ['garbage', 0],
      [5, 1],
    ],
    {
      dropped: { Undecodable: 1 },
      out: [[Number.NaN, Quality.configurationError], 5],
    },
  );
});

test('a clock that is off is corrected, so that its repeated time is no repetition', () =>
  check(
    { cleaning: { maxClockSkew: '1s' } },
    [
      [5, 0, 60_000],
      [5, 100, 60_000],
    ],
    { out: [5, 5] },
  ));

test('what a driver has lost is counted beside what was dropped', () => {
  const planned = plannedWith({});
  const publisher = { add: () => {}, flush: () => {} };
  const pipeline = new Pipeline({ clock: fakeClock(), publisher, points: [planned] });
  const sink = pipeline.sinkFor([planned]);
  sink.lost?.(3);
  sink.fail(0, new DriverError('TimedOut', 'no answer'));
  assert.deepEqual(pipeline.counters(), { in: 0, out: 1, dropped: { Lost: 3 } });
});

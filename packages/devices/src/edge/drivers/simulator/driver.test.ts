import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { fakeClock } from '@skerry/testkit';
import { type ConformanceBench, conformanceTests, pointOf, settingsOf } from '../../conformance/index.ts';
import { createSimulator } from './driver.ts';
import { parseReplay } from './replay.ts';
import { createSignal, type SignalAddress } from './signal.ts';

conformanceTests(test, 'the simulator', ['writes', 'subscribes', 'lacks'], async (): Promise<ConformanceBench> => {
  const clock = fakeClock();
  const driver = createSimulator(clock);
  const settings = settingsOf({ name: 'sim' });
  const device = driver.device(settings.namespace, settings.name);
  const memory = (property: string, type: string, value: unknown) =>
    pointOf(property, type, { signal: 'Memory', initial: { value } });
  return {
    driver,
    clock,
    log: silentLogger,
    settings,
    points: [
      memory('a', 'float64', 1.5),
      memory('b', 'int32', -7),
      memory('c', 'string', 'on'),
      memory('d', 'bool', true),
    ],
    values: [1.5, -7, 'on', true],
    others: [2.5, 9, 'off', false],
    set: async (index, value) => void device.memory.set(['a', 'b', 'c', 'd'][index] ?? '', value),
    get: async (index) => device.memory.get(['a', 'b', 'c', 'd'][index] ?? '') ?? 0,
    absent: pointOf('e', 'float64', { signal: 'Replay' }),
    settle: async (promise) => {
      let isDone = false;
      promise.then(
        () => (isDone = true),
        () => (isDone = true),
      );
      for (let turn = 0; !isDone && turn < 1000; turn++) await clock.advance(100);
      return promise;
    },
    cut: async () => {
      device.fault = 'Unreachable';
      for (const end of device.onCut) end();
    },
    silence: async () => {
      device.fault = 'Silent';
    },
    heal: async () => {
      device.fault = undefined;
    },
    [Symbol.asyncDispose]: async () => {},
  };
});

function check(address: Partial<SignalAddress>, at: readonly number[], expected: readonly unknown[]): void {
  const signal = createSignal(
    {
      signal: 'Sine',
      periodMs: 1000,
      minimum: 0,
      maximum: 10,
      step: 1,
      seed: 1,
      column: 'x',
      initial: undefined,
      ...address,
    },
    parseReplay('time,x,y\n0,1,a\n1,2,\n3,3,c\n', true),
  );
  assert.deepEqual(
    at.map((elapsed) => signal.at(elapsed)),
    expected,
  );
}

test('waves go between minimum and maximum', () => {
  check({ signal: 'Sine' }, [0, 250, 750], [5, 10, 0]);
  check({ signal: 'Square' }, [0, 499, 500, 1000], [0, 0, 10, 0]);
  check({ signal: 'Sawtooth' }, [0, 500, 999], [0, 5, 9.99]);
  check({ signal: 'Counter', step: 5 }, [0, 999, 2000], [0, 0, 10]);
});

test('a replay holds each value until the next, begins again, and has holes where the file has', () => {
  check({ signal: 'Replay' }, [0, 500, 1000, 2999, 3000, 4000], ['1', '1', '2', '2', '1', '2']);
  check({ signal: 'Replay', column: 'y' }, [0, 1000], ['a', undefined]);
  check({ signal: 'Replay', column: 'z' }, [0], [undefined]);
});

test('a walk stays inside, moves by its step at most, and is the same for the same seed', () => {
  const walk = () =>
    createSignal(
      { signal: 'Walk', periodMs: 10, minimum: 0, maximum: 10, step: 2, seed: 7, column: '', initial: undefined },
      undefined,
    );
  const [one, other] = [walk(), walk()];
  let last = Number(one.at(0));
  for (let at = 10; at < 5000; at += 10) {
    const value = Number(one.at(at));
    assert.ok(value >= 0 && value <= 10 && Math.abs(value - last) <= 2);
    last = value;
  }
  assert.equal(other.at(4990), last);
});

test('a file that is no replay is refused with the place', () => {
  assert.throws(() => parseReplay('x\n1', true), /no column "time"/);
  assert.throws(() => parseReplay('time\n1\n1', true), /row 2/);
  assert.throws(() => parseReplay('time\nnoon', true), /row 1/);
});

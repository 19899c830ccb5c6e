import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ControlLoopSpec } from '../resources/control-loop.ts';
import type { Operand } from '../values/expression.ts';
import { afterFailure, FIRST_STATE, type LoopAction, runCycle } from './cycle.ts';
import { compileLoop } from './program.ts';

const INPUTS = [{ name: 'level', device: 'tank', property: 'level' }];
const pump = (value: unknown) => ({ device: 'tank', property: 'pump', value });

/** What each cycle does, as text: `write pump = true (rule full)`. Undefined stands for inputs that are not fresh. */
function run(spec: ControlLoopSpec, levels: readonly (Operand | undefined)[], cycleMs = 100) {
  const program = compileLoop({ inputs: INPUTS, ...spec });
  let state = FIRST_STATE;
  return levels.map((level, at) => {
    const cycle = runCycle(program, state, { operands: level === undefined ? undefined : [level] }, at * cycleMs);
    state = cycle.state;
    return [state.mode, ...cycle.actions.map(textOf)];
  });
}

function textOf(action: LoopAction): string {
  if (action.do === 'call') return `call ${action.command} ${JSON.stringify(action.input)} (${action.cause})`;
  if (action.do === 'write') return `write ${action.property} = ${JSON.stringify(action.value)} (${action.cause})`;
  return `${action.do} ${action.property}`;
}

test('a rule acts once each time its condition begins to hold', () =>
  assert.deepEqual(run({ rules: [{ name: 'full', when: 'level > 9', write: [pump(true)] }] }, [5, 10, 11, 5, 10]), [
    ['Running'],
    ['Running', 'write pump = true (rule full)'],
    ['Running'],
    ['Running'],
    ['Running', 'write pump = true (rule full)'],
  ]));

test('a rule with a time waits until its condition has held so long', () =>
  assert.deepEqual(
    run(
      { rules: [{ name: 'full', when: 'level > 9', for: '200ms', write: [pump(true)] }] },
      [10, 10, 5, 10, 10, 10, 10],
    ),
    [
      ['Running'],
      ['Running'],
      ['Running'],
      ['Running'],
      ['Running'],
      ['Running', 'write pump = true (rule full)'],
      ['Running'],
    ],
  ));

test('a command is called with expressions of the inputs', () =>
  assert.deepEqual(
    run(
      {
        rules: [
          { name: 'full', when: 'level > 9', call: [{ device: 'tank', command: 'dose', input: { x: 'level * 2' } }] },
        ],
      },
      [10],
    ),
    [['Running', 'call dose {"x":20} (rule full)']],
  ));

test('an interlock holds its properties and writes them before anything else, and lets go', () =>
  assert.deepEqual(
    run(
      {
        rules: [{ name: 'full', when: 'level > 9', write: [pump(true)] }],
        interlocks: [{ name: 'dry', when: 'level > 11', write: [pump(false)] }],
      },
      [12, 12, 5],
    ),
    [
      ['Interlocked', 'hold pump', 'write pump = false (interlock dry)', 'write pump = true (rule full)'],
      ['Interlocked'],
      ['Running', 'release pump'],
    ],
  ));

test('without fresh inputs nothing is written, or what is safe, once', () => {
  const rules = [{ name: 'full', when: 'level > 9', write: [pump(true)] }];
  assert.deepEqual(run({ rules }, [undefined, undefined, 10]), [
    ['Holding'],
    ['Holding'],
    ['Running', 'write pump = true (rule full)'],
  ]);
  assert.deepEqual(run({ rules, onStale: 'Safe', safe: [pump(false)] }, [undefined, undefined, 5, undefined]), [
    ['Safe', 'write pump = false (safe)'],
    ['Safe'],
    ['Running'],
    ['Safe', 'write pump = false (safe)'],
  ]);
});

const AGAIN_MS = 1000;

/** What each cycle of 100 ms does when those writes fail whose text `fails` knows, each to be sent again after a second. */
function runFailing(spec: ControlLoopSpec, levels: readonly Operand[], fails: (text: string, at: number) => boolean) {
  const program = compileLoop({ inputs: INPUTS, ...spec });
  let state = FIRST_STATE;
  return levels.map((level, cycle) => {
    const now = cycle * 100;
    const next = runCycle(program, state, { operands: [level] }, now);
    state = next.state;
    for (const action of next.actions)
      if (action.do === 'write' && fails(textOf(action), now)) state = afterFailure(state, action, now + AGAIN_MS);
    return [state.mode, ...next.actions.map(textOf)];
  });
}

const times = <T>(count: number, value: T): readonly T[] => Array.from({ length: count }, () => value);

test('a write that failed is sent again after its time as long as its reason holds, and commands are not', () => {
  const call = [{ device: 'tank', command: 'dose' }];
  const other = { device: 'tank', property: 'lamp', value: 1 };
  const spec = { rules: [{ name: 'full', when: 'level > 9', write: [pump(true), other], call }] };
  const [first, ...more] = runFailing(spec, times(22, 10), (text) => text.startsWith('write pump'));
  const again = ['Running', 'write pump = true (rule full)'];
  assert.deepEqual(first, [...again, 'write lamp = 1 (rule full)', 'call dose {} (rule full)']);
  assert.deepEqual(more, [...times(9, ['Running']), again, ...times(9, ['Running']), again, ['Running']]);
  assert.deepEqual(
    runFailing(spec, [10, 10, 5, ...times(20, 5)], (text) => text.startsWith('write pump')).slice(1),
    times(22, ['Running']),
  );
});

test('what failed is forgotten once its reason is gone, also when the reason comes back', () => {
  const rules = [{ name: 'full', when: 'level > 9', write: [{ ...pump(undefined), expression: 'level' }] }];
  const cycles = runFailing({ rules }, [10, 5, 11, ...times(12, 11)], (_text, at) => at === 0);
  assert.deepEqual(
    cycles.flatMap(([, ...actions]) => actions),
    ['write pump = 10 (rule full)', 'write pump = 11 (rule full)'],
  );
});

test('an interlock whose write failed writes again, and lets go of its properties when its condition is over', () => {
  const interlocks = [{ name: 'dry', when: 'level > 11', write: [pump(false)] }];
  const cycles = runFailing({ interlocks }, [...times(11, 12), 5], () => true);
  assert.deepEqual(cycles, [
    ['Interlocked', 'hold pump', 'write pump = false (interlock dry)'],
    ...times(9, ['Interlocked']),
    ['Interlocked', 'write pump = false (interlock dry)'],
    ['Running', 'release pump'],
  ]);
  // Between the failure and the next attempt, too.
  assert.deepEqual(runFailing({ interlocks }, [12, 5], () => true)[1], ['Running', 'release pump']);
});

const PID = { input: 'level', setpoint: '5', kp: 2, ki: 0.5, output: { device: 'tank', property: 'valve' } };

test('a PID brings a tank to its setpoint and keeps it there', () => {
  const program = compileLoop({ inputs: INPUTS, pid: { ...PID, minimum: 0, maximum: 10 } });
  let state = FIRST_STATE;
  let level = 0;
  let valve = 0;
  for (let cycle = 0; cycle < 2000; cycle++) {
    const next = runCycle(program, state, { operands: [level] }, cycle * 100);
    state = next.state;
    for (const action of next.actions) if (action.do === 'write') valve = Number(action.value);
    // Water runs in by the valve and out by a hole.
    level += (valve - level) * 0.05;
  }
  assert.ok(Math.abs(level - 5) < 0.01, `${level}`);
});

test('a PID goes on from the output that is reported, and waits until it is known', () => {
  const program = compileLoop({ inputs: INPUTS, pid: { ...PID, minimum: 0, maximum: 10 } });
  const unknown = runCycle(program, FIRST_STATE, { operands: [4], pidStart: 'Awaited' }, 0);
  assert.deepEqual([unknown.actions, unknown.state.pid], [[], undefined]);
  const first = runCycle(program, unknown.state, { operands: [4], pidStart: 7 }, 100);
  assert.deepEqual(first.actions, []);
  const second = runCycle(program, first.state, { operands: [4] }, 200);
  // A tenth of a second of an error of 1.
  assert.deepEqual(second.actions.map(textOf), ['write valve = 7.05 (pid)']);
});

test('a PID starts within its limits, and without an integral where it belongs', () => {
  const check = (pid: { readonly ki: number }, from: number, expected: string) => {
    const program = compileLoop({ inputs: INPUTS, pid: { ...PID, ...pid, minimum: 0, maximum: 10 } });
    const { actions } = runCycle(program, FIRST_STATE, { operands: [4], pidStart: from }, 0);
    assert.deepEqual(actions.map(textOf), [expected]);
  };
  check({ ki: 0.5 }, 99, 'write valve = 10 (pid)');
  check({ ki: 0 }, 7, 'write valve = 2 (pid)');
});

test('whatever it reads, a PID writes numbers within its limits, and its integral does not run away', () =>
  fc.assert(
    fc.property(
      fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { maxLength: 50 }),
      fc.boolean(),
      (levels, reverse) => {
        const program = compileLoop({ inputs: INPUTS, pid: { ...PID, kd: 0.1, reverse, minimum: -1, maximum: 1 } });
        let state = FIRST_STATE;
        for (const [at, level] of levels.entries()) {
          const next = runCycle(program, state, { operands: [level] }, at * 100);
          state = next.state;
          for (const action of next.actions)
            assert.ok(action.do === 'write' && Number(action.value) >= -1 && Number(action.value) <= 1);
        }
      },
    ),
  ));

test('what cannot be a loop is refused with the place', () => {
  const check = (spec: ControlLoopSpec, message: RegExp, path: string) =>
    assert.throws(
      () => compileLoop({ inputs: INPUTS, ...spec }),
      (error: Error & { path?: string }) => message.test(error.message) && error.path === path,
    );
  check({ cycle: '5ms' }, /at least 10ms/, 'spec.cycle');
  check({ rules: [{ name: 'a', when: 'depth > 1' }] }, /knows no variable depth/, 'spec.rules[0].when');
  check({ safe: [{ device: 'a', property: 'b' }] }, /either value or expression/, 'spec.safe[0]');
  check({ pid: { ...PID, minimum: 1, maximum: 1 } }, /above minimum/, 'spec.pid.maximum');
  check({ pid: { ...PID, input: 'x', minimum: 0, maximum: 1 } }, /is no input/, 'spec.pid.input');
});

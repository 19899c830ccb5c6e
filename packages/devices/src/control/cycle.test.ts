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
    const cycle = runCycle(program, state, level === undefined ? undefined : [level], at * cycleMs);
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

test('what failed is done again as long as its reason holds', () => {
  const program = compileLoop({ inputs: INPUTS, rules: [{ name: 'full', when: 'level > 9', write: [pump(true)] }] });
  const first = runCycle(program, FIRST_STATE, [10], 0);
  const again = runCycle(program, afterFailure(first.state, 'rule full'), [10], 100);
  assert.deepEqual(again.actions.map(textOf), ['write pump = true (rule full)']);
  assert.deepEqual(runCycle(program, afterFailure(first.state, 'rule full'), [5], 100).actions, []);
});

const PID = { input: 'level', setpoint: '5', kp: 2, ki: 0.5, output: { device: 'tank', property: 'valve' } };

test('a PID brings a tank to its setpoint and keeps it there', () => {
  const program = compileLoop({ inputs: INPUTS, pid: { ...PID, minimum: 0, maximum: 10 } });
  let state = FIRST_STATE;
  let level = 0;
  let valve = 0;
  for (let cycle = 0; cycle < 2000; cycle++) {
    const next = runCycle(program, state, [level], cycle * 100);
    state = next.state;
    for (const action of next.actions) if (action.do === 'write') valve = Number(action.value);
    // Water runs in by the valve and out by a hole.
    level += (valve - level) * 0.05;
  }
  assert.ok(Math.abs(level - 5) < 0.01, `${level}`);
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
          const next = runCycle(program, state, [level], at * 100);
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

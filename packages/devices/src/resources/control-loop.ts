/** ControlLoop: reads, decides and writes at the node in a fixed cycle, whether or not there is a cloud. */
import type { KubeObject } from '@skerry/api';
import {
  anything,
  choice,
  conditions,
  definition,
  duration,
  flag,
  identifier,
  integer,
  list,
  listBy,
  mapOf,
  nameOf,
  number,
  object,
  placedStatus,
  placement,
  text,
  time,
} from '@skerry/api/definitions';
import type { Placement } from './device.ts';
import { CONTROL_LOOPS, DEVICES } from './group.ts';

export interface ControlLoop extends KubeObject {
  readonly spec: ControlLoopSpec;
  readonly status?: ControlLoopStatus;
}

export interface ControlLoopSpec {
  readonly placement?: Placement;
  readonly enabled?: boolean;
  readonly cycle?: string;
  /** Names for what expressions speak of. */
  readonly inputs?: readonly LoopInput[];
  /** Inputs older than this are not acted on. */
  readonly staleAfter?: string;
  readonly onStale?: 'Hold' | 'Safe';
  readonly safe?: readonly LoopWrite[];
  readonly rules?: readonly LoopRule[];
  readonly pid?: PidSpec;
  /** While one of these holds, its writes stand and nothing else is written to the same properties. */
  readonly interlocks?: readonly LoopInterlock[];
}

export interface PropertyRef {
  readonly device: string;
  readonly property: string;
}

export interface LoopInput extends PropertyRef {
  readonly name: string;
}

/** `value` as it is, or `expression` of the inputs. */
export interface LoopWrite extends PropertyRef {
  readonly value?: unknown;
  readonly expression?: string;
}

export interface LoopCall {
  readonly device: string;
  readonly command: string;
  /** Expressions, by parameter. */
  readonly input?: Readonly<Record<string, string>>;
}

export interface LoopRule {
  readonly name: string;
  readonly when: string;
  /** The condition must hold so long. */
  readonly for?: string;
  readonly write?: readonly LoopWrite[];
  readonly call?: readonly LoopCall[];
}

export interface LoopInterlock {
  readonly name: string;
  readonly when: string;
  readonly write: readonly LoopWrite[];
}

export interface PidSpec {
  /** Name of an input. */
  readonly input: string;
  /** Expression. */
  readonly setpoint: string;
  readonly kp: number;
  /** Per second. */
  readonly ki?: number;
  /** Seconds. */
  readonly kd?: number;
  readonly output: PropertyRef;
  readonly minimum: number;
  readonly maximum: number;
  readonly reverse?: boolean;
}

export interface ControlLoopStatus {
  readonly nodes?: readonly string[];
  readonly observedGeneration?: number;
  readonly state?: 'Pending' | 'Running' | 'Holding' | 'Safe' | 'Interlocked' | 'Failed' | 'Disabled';
  readonly lastError?: string;
  readonly cycles?: number;
  readonly overruns?: number;
  readonly jitter?: { readonly p50Ms?: number; readonly p99Ms?: number; readonly maximumMs?: number };
  readonly lastAction?: string;
  readonly lastActionTime?: string;
  readonly interlocks?: readonly string[];
}

const expression = (description: string) => text(description, { maxLength: 1024, minLength: 1 });
const propertyRef = {
  device: nameOf('A Device of this namespace, at the same node.'),
  property: identifier('One of its properties.'),
};

const write = object(
  'One value to write.',
  { ...propertyRef, value: anything('The value,'), expression: expression('or an expression of the inputs.') },
  ['device', 'property'],
);

const call = object(
  'One command to call.',
  {
    device: nameOf('A Device of this namespace, at the same node.'),
    command: identifier('One of its commands.'),
    input: mapOf('Expressions of the inputs, by parameter.', expression('One expression.'), 256),
  },
  ['device', 'command'],
);

const name = text('Name.', { maxLength: 63, minLength: 1 });

const rule = object(
  'What to do when something is so.',
  {
    name,
    when: expression('Condition over the inputs.'),
    for: duration('It must hold for so long.'),
    write: list('What is then written, once each time the condition begins to hold.', write, 64),
    call: list('What is then called, once each time the condition begins to hold.', call, 64),
  },
  ['name', 'when'],
);

const interlock = object(
  'What must not be touched while something is so.',
  {
    name,
    when: expression('Condition over the inputs.'),
    write: list('What is written meanwhile; nothing else is written to these properties.', write, 64),
  },
  ['name', 'when', 'write'],
);

const pid = object(
  'Keeps an input at a setpoint.',
  {
    input: identifier('Name of an input.'),
    setpoint: expression('Where the input is to be: a number, or an expression of the inputs.'),
    kp: number('Proportional gain.'),
    ki: number('Integral gain, per second.', { minimum: 0 }),
    kd: number('Derivative gain, in seconds.', { minimum: 0 }),
    output: object('What is written.', propertyRef, ['device', 'property']),
    minimum: number('Least output.'),
    maximum: number('Greatest output.'),
    reverse: flag('More output makes the input smaller.'),
  },
  ['input', 'setpoint', 'kp', 'output', 'minimum', 'maximum'],
);

export const controlLoopDefinition: KubeObject = definition({
  kind: 'ControlLoop',
  gvr: CONTROL_LOOPS,
  description: 'A closed loop at a node: conditions, PID and interlocks in a fixed cycle, with or without the cloud.',
  spec: object('The loop.', {
    placement,
    enabled: flag('Whether it acts.', { default: true }),
    cycle: duration('Length of a cycle; 10ms at least.', { default: '100ms' }),
    inputs: listBy(
      'name',
      'Names for what the expressions speak of.',
      object('One input.', { name: identifier('Name.'), ...propertyRef }, ['name', 'device', 'property']),
      256,
    ),
    staleAfter: duration('Inputs that are older are not acted on.', { default: '10s' }),
    onStale: choice('Without fresh inputs: write nothing, or the safe values once.', ['Hold', 'Safe'], 'Hold'),
    safe: list('Values that are safe.', write, 64),
    rules: listBy('name', 'What to do when.', rule, 256),
    pid,
    interlocks: listBy('name', 'What must not be touched while.', interlock, 64),
  }),
  status: object('How it runs.', {
    ...placedStatus,
    state: choice('What it does.', ['Pending', 'Running', 'Holding', 'Safe', 'Interlocked', 'Failed', 'Disabled']),
    cycles: integer('Cycles since it started.'),
    overruns: integer('Cycles that began late because the one before took too long.'),
    jitter: object('How far cycles begin from when they should, over the last minute.', {
      p50Ms: number('Half of them, in milliseconds.'),
      p99Ms: number('99 of 100, in milliseconds.'),
      maximumMs: number('The worst, in milliseconds.'),
    }),
    lastAction: text('What it did last.', { maxLength: 4096 }),
    lastActionTime: time('When.'),
    interlocks: list('Interlocks that hold now.', name, 64),
    conditions,
  }),
  columns: [
    { name: 'State', path: '.status.state' },
    { name: 'Cycle', path: '.spec.cycle' },
    { name: 'Jitter p99 (ms)', path: '.status.jitter.p99Ms', type: 'number' },
    { name: 'Last action', path: '.status.lastAction', priority: 1 },
  ],
  relations: [
    {
      to: DEVICES,
      namePaths: [
        'spec.inputs[].device',
        'spec.safe[].device',
        'spec.rules[].write[].device',
        'spec.rules[].call[].device',
        'spec.interlocks[].write[].device',
        'spec.pid.output.device',
      ],
    },
  ],
});

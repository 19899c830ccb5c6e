/** The simulator: a device without a device, for trying things out and for tests. */
import { choice, duration, flag, number, object, open, text } from '@skerry/api/definitions';
import type { Protocol } from './protocol.ts';

export const simulatorProtocol: Protocol = {
  name: 'simulator',
  description: 'A device without a device: waves, walks, the replay of a CSV file, and faults on demand.',
  options: object('How the device behaves.', {
    fault: choice(
      'What is wrong with it. Ignores acknowledges what is written, and keeps what it has.',
      ['None', 'Unreachable', 'Silent', 'Refuses', 'Garbage', 'Ignores'],
      'None',
    ),
    latency: duration('How long every answer takes.'),
    file: text('Key of the ConfigMap with the CSV: a column `time` (seconds) and one a signal.', { maxLength: 253 }),
    loop: flag('The file begins again at its end.', { default: true }),
  }),
  address: object(
    'What the property is.',
    {
      signal: choice('Where the value comes from.', [
        'Constant',
        'Sine',
        'Square',
        'Sawtooth',
        'Walk',
        'Counter',
        'Replay',
        'Memory',
      ]),
      period: duration('Of a wave, or of one step of a walk or a counter.', { default: '10s' }),
      minimum: number('Least value.', { default: 0 }),
      maximum: number('Greatest value.', { default: 100 }),
      step: number('The longest step of a walk, and the step of a counter.', { default: 1 }),
      seed: number('Two walks with the same seed are the same.', { default: 1 }),
      column: text('Of the CSV; the name of the property without it.', { maxLength: 253 }),
      initial: open('Of Memory and Constant: `{value: …}`.'),
    },
    ['signal'],
  ),
  command: object('What the command does.', {
    action: choice(
      'Sets every Memory to its initial value, or gives back what it was told.',
      ['Reset', 'Echo'],
      'Echo',
    ),
  }),
  event: object('When it happens.', { period: duration('Once in this time.', { default: '10s' }) }),
};

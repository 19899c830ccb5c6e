/** Tries rules, one at a time, in a process of its own: what a rule takes of memory and time it takes of nobody else. */
import { messageOf, systemClock } from '@skerry/base';
import type { FromTrial } from './messages.ts';
import { runTrial, type Trial } from './trial.ts';

process.on('message', (trial: Trial) => void outcomeOf(trial).then(say));
process.on('disconnect', () => process.exit(0));
say({ type: 'ready' });

async function outcomeOf(trial: Trial): Promise<FromTrial> {
  try {
    return { type: 'outcome', outcome: await runTrial(trial, () => systemClock.monotonic()) };
  } catch (error) {
    return { type: 'failed', message: messageOf(error) };
  }
}

function say(message: FromTrial): void {
  process.send?.(message);
}

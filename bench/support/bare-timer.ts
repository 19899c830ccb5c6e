/** A process that does nothing but wait for a timer every 10 ms, for so many milliseconds, and prints how late it was: p99. */
import { setTimeout as sleep } from 'node:timers/promises';
import { percentile } from './figures.ts';

const CYCLE_MS = 10;

const until = performance.now() + Number(process.argv[2]);
const late: number[] = [];
for (let due = performance.now() + CYCLE_MS; due < until; due += CYCLE_MS) {
  while (due < performance.now()) due += CYCLE_MS;
  await sleep(due - performance.now());
  late.push(Math.abs(performance.now() - due));
}
process.stdout.write(
  String(
    percentile(
      late.toSorted((a, b) => a - b),
      0.99,
    ),
  ),
);

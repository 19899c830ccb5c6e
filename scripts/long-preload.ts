/** Loaded into each test process of a long run: one seed for every property, more runs of each, and the count of them at the end. */
import { appendFileSync } from 'node:fs';
import { runs } from '@skerry/testkit';
import fc, { type RunDetails } from 'fast-check';

const DEFAULT_RUNS = 100;
let [properties, done] = [0, 0];

fc.configureGlobal({ seed: Number(process.env['SKERRY_LONG_SEED']), numRuns: runs(DEFAULT_RUNS), reporter: count });

function count<T>(details: RunDetails<T>): void {
  properties++;
  done += details.numRuns;
  if (details.failed) throw new Error(fc.defaultReportMessage(details), { cause: details.errorInstance });
}

process.on('exit', () => {
  if (properties > 0) appendFileSync(process.env['SKERRY_LONG_COUNTS'] ?? '/dev/null', `${properties} ${done}\n`);
});

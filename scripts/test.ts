/**
 * `npm test`: brings the system packages where it may, checks, builds and runs every test.
 * `-- --no-system` declines apt, `-- --no-check` leaves the checks out, `-- PATTERN…` runs only the named test files.
 */
import { globSync } from 'node:fs';
import { fetchAllKubectls, nodeBinary } from '@skerry/testkit/processes';
import { buildBundles } from './build.ts';
import { setUpSystem } from './system-packages.ts';
import { ROOT, run, say, scriptEnv } from './tasks.ts';

const flags = process.argv.slice(2).filter((argument) => argument.startsWith('--'));
const patterns = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));

const UNIT = ['packages/*/src/**/*.test.ts', 'scripts/*.test.ts'];
const BLACK_BOX = ['test/**/*.test.ts'];

/** One test that takes this long hangs. */
const TEST_LIMIT_MS = 300_000;
/** A test that spins never hears of its own limit; this ends the whole run instead. */
const RUN_LIMIT_MS = 20 * 60_000;

process.exitCode = await main();

async function main(): Promise<number> {
  setUpSystem(flags.includes('--no-system'));
  // Before the tests, so that no test pays for it, and no two at once.
  fetchAllKubectls();
  nodeBinary('arm64');
  await buildBundles();
  if (patterns.length > 0) return runTests('the named tests', patterns, 1);
  if (!flags.includes('--no-check') && run(process.execPath, ['--conditions=source', 'scripts/check.ts']) !== 0)
    return 1;
  // Black-box stories start whole clouds and measure nothing, but two at once on two cores would slow each other into time-outs.
  const unit = runTests('unit tests', UNIT, 2);
  const stories = runTests('black-box tests', BLACK_BOX, 1);
  return unit === 0 && stories === 0 ? 0 : 1;
}

function runTests(what: string, globs: readonly string[], concurrency: number): number {
  const files = globSync(globs, { cwd: ROOT }).sort();
  if (files.length === 0) {
    say(`${what}: no test file matches ${globs.join(' ')}`);
    return 1;
  }
  say(`${what}: ${files.length} files`);
  const reporter = process.stdout.isTTY ? 'spec' : 'dot';
  const args = [
    '--conditions=source',
    '--import=./scripts/everyday-preload.ts',
    '--test',
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${TEST_LIMIT_MS}`,
    `--test-reporter=${process.env['SKERRY_TEST_REPORTER'] ?? reporter}`,
    '--test-reporter-destination=stdout',
    '--test-reporter=./scripts/closing-lines.ts',
    '--test-reporter-destination=stdout',
    ...files,
  ];
  return run(process.execPath, args, scriptEnv(), RUN_LIMIT_MS);
}

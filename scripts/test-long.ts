/**
 * `npm run test:long [-- --times N] [--seed N] [FILE…]`: every property, model and crash test with N times its everyday
 * count (default 100: hours on a small machine), and writes docs/reliability.md. A named FILE is only run, not written down.
 */
import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildBundles } from './build.ts';
import { capture, ROOT, say, scriptEnv } from './tasks.ts';

const PAGE = join(ROOT, 'docs', 'reliability.md');
const CONCURRENCY = 2;
/** Real processes, of the bundles. */
const STORIES = 'test/';

interface Result {
  readonly file: string;
  readonly properties: number;
  readonly runs: number;
  readonly seconds: number;
  readonly isOk: boolean;
}

interface Plan {
  readonly times: number;
  readonly seed: number;
  readonly counts: string;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { times: { type: 'string', default: '100' }, seed: { type: 'string' } },
    allowPositionals: true,
  });
  const counts = mkdtempSync(join(tmpdir(), 'skerry-long-'));
  const seed = values.seed === undefined ? Math.trunc(Math.random() * 2 ** 31) : Number(values.seed);
  const plan = { times: Number(values.times), seed, counts };
  const files = positionals.length > 0 ? positionals : repeatedTests();
  say(`${files.length} files, ${plan.times} times the everyday count, seed ${seed}`);
  const stories = files.filter((file) => file.startsWith(STORIES));
  if (stories.length > 0) await buildBundles();
  const results = [
    ...(await runAll(
      plan,
      files.filter((file) => !stories.includes(file)),
      CONCURRENCY,
    )),
    // Two at once would slow each other into time-outs.
    ...(await runAll(plan, stories, 1)),
  ];
  rmSync(counts, { recursive: true });
  if (positionals.length === 0) writeFileSync(PAGE, page(plan, results));
  const failed = results.filter(({ isOk }) => !isOk);
  say(failed.length === 0 ? 'all passed' : `failed: ${failed.map(({ file }) => file).join(', ')}`);
  return failed.length === 0 ? 0 : 1;
}

/** Tests that try something many times: those with properties, and those whose count is a `runs(n)`. */
function repeatedTests(): readonly string[] {
  return globSync(['packages/*/src/**/*.test.ts', `${STORIES}**/*.test.ts`], { cwd: ROOT })
    .filter((file) => /\bfc\.assert\(|\bruns\(/.test(readFileSync(join(ROOT, file), 'utf8')))
    .sort();
}

async function runAll(plan: Plan, files: readonly string[], concurrency: number): Promise<readonly Result[]> {
  const results: Result[] = [];
  const waiting = [...files];
  const work = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift())
      results.push(await runFile(plan, file));
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return results.sort((left, right) => left.file.localeCompare(right.file));
}

async function runFile({ times, seed, counts }: Plan, file: string): Promise<Result> {
  const noted = join(counts, file.replaceAll('/', '-'));
  const env = scriptEnv({ SKERRY_LONG: String(times), SKERRY_LONG_SEED: String(seed), SKERRY_LONG_COUNTS: noted });
  const begun = performance.now();
  const args = ['--conditions=source', '--import=./scripts/long-preload.ts', file];
  const { code, output } = await capture(process.execPath, args, env);
  const seconds = Math.round((performance.now() - begun) / 1000);
  const { properties, runs } = countsIn(noted);
  say(`${code === 0 ? 'passed' : 'FAILED'} ${file}: ${runs.toLocaleString('en')} runs in ${seconds} s`);
  if (code !== 0) process.stderr.write(`${output}\n`);
  return { file, properties, runs, seconds, isOk: code === 0 };
}

function countsIn(noted: string): { properties: number; runs: number } {
  const lines = globSync(noted).flatMap((file) => readFileSync(file, 'utf8').trim().split('\n'));
  const pairs = lines.map((line) => line.split(' ').map(Number));
  const sum = (index: number) => pairs.reduce((total, pair) => total + (pair[index] ?? 0), 0);
  return { properties: sum(0), runs: sum(1) };
}

function page({ times, seed }: Plan, results: readonly Result[]): string {
  const total = results.reduce((sum, { runs }) => sum + runs, 0);
  const failed = results.filter(({ isOk }) => !isOk);
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).trim();
  const rows = results.map(
    ({ file, properties, runs, seconds, isOk }) =>
      `| ${file} | ${properties} | ${runs.toLocaleString('en')} | ${seconds} s | ${isOk ? 'passed' : '**failed**'} |`,
  );
  return `# Reliability

What must hold whatever happens is tested with random histories: models of the store, of the link and of both shores,
properties of every pure part, and real processes that are killed in the middle of their writes. Every \`npm test\` tries
each a little; \`npm run test:long\` tries each ${times} times as often and writes this page.

Last long run: ${new Date().toISOString().slice(0, 10)} at ${commit}, ${cpus().length} cores, Linux ${release().split('-')[0]}, Node ${process.version}.
Seed ${seed}; the same again: \`npm run test:long -- --times ${times} --seed ${seed}\`.

**${total.toLocaleString('en')} runs, ${failed.length === 0 ? 'no failure' : `failures in ${failed.length} of ${results.length} files`}.** A crash test counts its kills in its file and not here.

| test | properties | runs | time | result |
|---|---|---|---|---|
${rows.join('\n')}
`;
}

process.exitCode = await main();

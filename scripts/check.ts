/** `npm run check`: format, lint, types, dead code, doors and ledgers, all at once; prints only what is wrong. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildBundles, LIB } from './build.ts';
import { type Captured, capture, npmBin, ROOT, say } from './tasks.ts';

interface Check {
  readonly name: string;
  readonly run: () => Promise<Captured>;
}

const CHECKS: readonly Check[] = [
  {
    name: 'format and lint (biome)',
    run: () => capture(npmBin('biome'), ['ci', '--colors=off', '--error-on-warnings', '.']),
  },
  { name: 'lint (oxlint)', run: () => capture(npmBin('oxlint'), ['--type-aware', '--deny-warnings']) },
  { name: 'types (tsc)', run: () => capture(npmBin('tsc'), ['-p', '.']) },
  { name: 'dead code (knip)', run: () => capture(npmBin('knip'), ['--no-progress', '--no-config-hints']) },
  { name: 'facts of the API (generated)', run: () => node('scripts/generate-facts.ts', '--check') },
  { name: 'reference pages (generated)', run: () => node('scripts/generate-docs.ts', '--check') },
  { name: 'list of queries (generated)', run: () => node('scripts/list-queries.ts', '--check') },
  { name: 'rules of the house', run: () => node('--test', '--test-reporter=dot', ...RULES) },
  { name: 'ledger of the agent', run: () => checkLedgers(process.argv.includes('--update')) },
];

/** Tests about the tree itself: doors between packages, headings of errors, the lock file, requirements without a case. */
const RULES = [
  'scripts/doors.test.ts',
  'scripts/errors.test.ts',
  'scripts/lock.test.ts',
  'scripts/docs.test.ts',
  'test/conformance/coverage.test.ts',
];

function node(...args: readonly string[]): Promise<Captured> {
  return capture(process.execPath, ['--conditions=source', ...args]);
}

/** What the agent's bundles contain is a committed file: whoever adds to it shows it in the same change. */
async function checkLedgers(update: boolean): Promise<Captured> {
  await buildBundles();
  const output = ['edge', 'supervisor'].map((name) => checkLedger(name, update)).join('');
  return { code: output === '' ? 0 : 1, output };
}

function checkLedger(name: string, update: boolean): string {
  const actual = readFileSync(join(LIB, `${name}.ledger.txt`), 'utf8');
  if (name === 'supervisor' && /^npm:/m.test(actual)) return `the supervisor may hold no npm package:\n${actual}`;
  const ledger = join(ROOT, 'packages', 'edge', `${name}.ledger.txt`);
  if (update) writeFileSync(ledger, actual);
  return difference(existsSync(ledger) ? readFileSync(ledger, 'utf8') : '', actual, name);
}

function difference(expected: string, actual: string, name: string): string {
  const before = new Set(expected.split('\n'));
  const after = new Set(actual.split('\n'));
  const lines = [
    ...[...after].filter((line) => !before.has(line)).map((line) => `+ ${line}`),
    ...[...before].filter((line) => !after.has(line)).map((line) => `- ${line}`),
  ];
  if (lines.length === 0) return '';
  return `${name}.ledger.txt differs from the bundle; 'npm run check -- --update' accepts it:\n${lines.join('\n')}\n`;
}

const results = await Promise.all(CHECKS.map(async (check) => ({ name: check.name, ...(await check.run()) })));
const failed = results.filter(({ code }) => code !== 0);
for (const { name, output } of failed) process.stderr.write(`--- ${name}\n${output}\n`);
say(failed.length === 0 ? `${results.length} checks passed` : `${failed.length} of ${results.length} checks failed`);
process.exitCode = failed.length === 0 ? 0 : 1;

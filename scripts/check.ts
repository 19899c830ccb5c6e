/** `npm run check`: format, lint, types, dead code, doors and ledgers, all at once; prints only what is wrong. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildBundles, LIB } from './build.ts';
import { type Captured, capture, npmBin, ROOT, say } from './tasks.ts';

interface Check {
  readonly name: string;
  readonly run: () => Promise<Captured>;
}

const CHECKS: readonly Check[] = [
  { name: 'format and lint (biome)', run: () => capture(npmBin('biome'), ['ci', '--error-on-warnings', '.']) },
  { name: 'lint and doors (oxlint)', run: () => capture(npmBin('oxlint'), ['--type-aware', '--deny-warnings']) },
  { name: 'types (tsc)', run: () => capture(npmBin('tsc'), ['-p', '.']) },
  { name: 'dead code (knip)', run: () => capture(npmBin('knip'), ['--no-progress']) },
  {
    name: 'facts (generated)',
    run: () => capture(process.execPath, ['--conditions=source', 'scripts/generate-facts.ts', '--check']),
  },
  { name: 'ledger of the agent', run: () => checkLedger(process.argv.includes('--update')) },
];

/** What the agent's bundles contain is a committed file: whoever adds to it shows it in the same change. */
async function checkLedger(update: boolean): Promise<Captured> {
  await buildBundles();
  let output = '';
  for (const name of ['edge', 'supervisor']) {
    const actual = readFileSync(join(LIB, `${name}.inputs.txt`), 'utf8');
    const ledger = join(ROOT, 'packages', 'edge', `${name}.ledger.txt`);
    if (update) writeFileSync(ledger, actual);
    output += difference(readFileSync(ledger, 'utf8'), actual, name);
  }
  return { code: output === '' ? 0 : 1, output };
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

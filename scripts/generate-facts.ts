/** Regenerates the table that ships and the TypeScript interfaces from the committed facts; `--check` fails when they differ. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Facts } from './facts/facts.ts';
import { HAND_ENTERED } from './facts/hand-entered.ts';
import { runTimeTable } from './facts/run-time-table.ts';
import { typescriptTypes } from './facts/typescript-types.ts';

const FOLDER = join(import.meta.dirname, '../packages/api/src/generated');

function main(args: readonly string[]): number {
  const raw = JSON.parse(readFileSync(join(FOLDER, 'facts.json'), 'utf8')) as Facts;
  const facts = { ...raw, structs: { ...raw.structs, ...HAND_ENTERED } };
  const files = {
    'table.json': `${JSON.stringify(runTimeTable(facts), null, 1)}\n`,
    'types.ts': typescriptTypes(facts),
  };
  const stale = Object.entries(files).filter(([name, text]) => readIfThere(join(FOLDER, name)) !== text);
  if (args.includes('--check')) return report(stale.map(([name]) => name));
  for (const [name, text] of stale) writeFileSync(join(FOLDER, name), text);
  return 0;
}

function report(stale: readonly string[]): number {
  if (stale.length === 0) return 0;
  process.stderr.write(`${stale.join(', ')} differ from facts.json; run: npm run generate:facts\n`);
  return 1;
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

process.exitCode = main(process.argv.slice(2));

/** Lists every SQL statement of the product in queries/PACKAGE.sql for the reviewer's eye; `--check` fails when they differ. */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, say } from './tasks.ts';

const FOLDER = 'queries';
/** A literal that opens with a statement, up to the quote it opened with. A scan of text: no parser, no imports. */
const STATEMENT =
  /(['"`])\s*((?:SELECT|INSERT|REPLACE|UPDATE|DELETE FROM|WITH|CREATE|DROP|ALTER|PRAGMA|VACUUM|ATTACH|DETACH|BEGIN|COMMIT|ROLLBACK)\b(?:(?!\1)[^\\])*)\1/g;

/** The statements of one source file, in the order they stand there. */
export function statementsIn(source: string): readonly string[] {
  return [...source.matchAll(STATEMENT)].map((match) => dedent(match[2] ?? '')).filter(isStatement);
}

/** Single words such as 'UPDATE' are also names of other things; a transaction's words are not. */
function isStatement(text: string): boolean {
  return /\s/.test(text) || /^(BEGIN|COMMIT|ROLLBACK|VACUUM)$/.test(text);
}

function dedent(text: string): string {
  const lines = text.trimEnd().split('\n');
  const indents = lines.slice(1).filter((line) => line.trim() !== '');
  const shared = Math.min(...indents.map((line) => line.length - line.trimStart().length));
  return lines.map((line, index) => (index === 0 ? line : line.slice(shared))).join('\n');
}

/** Each package that speaks SQL, with the text of its file. */
function listings(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const path of globSync('packages/*/src/**/*.ts', { cwd: ROOT }).sort()) {
    if (path.endsWith('.test.ts') || path.includes('/testing/')) continue;
    const statements = statementsIn(readFileSync(join(ROOT, path), 'utf8'));
    if (statements.length === 0) continue;
    const name = path.split('/')[1] ?? '';
    const section = statements.map((statement) => `${statement.replace(/;$/, '')};\n`).join('');
    found.set(name, `${found.get(name) ?? '-- Written by scripts/list-queries.ts.\n'}\n-- ${path}\n${section}`);
  }
  return found;
}

function committed(): ReadonlyMap<string, string> {
  const files = globSync(`${FOLDER}/*.sql`, { cwd: ROOT });
  return new Map(files.map((file) => [file.slice(FOLDER.length + 1, -4), readFileSync(join(ROOT, file), 'utf8')]));
}

function main(isCheck: boolean): number {
  const actual = listings();
  const before = committed();
  const stale = [...new Set([...actual.keys(), ...before.keys()])].filter(
    (name) => actual.get(name) !== before.get(name),
  );
  if (isCheck) {
    if (stale.length > 0) say(`queries of ${stale.join(', ')} differ from ${FOLDER}/; run: npm run list:queries`);
    return stale.length === 0 ? 0 : 1;
  }
  mkdirSync(join(ROOT, FOLDER), { recursive: true });
  for (const name of stale) {
    const file = join(ROOT, FOLDER, `${name}.sql`);
    const text = actual.get(name);
    if (text === undefined) rmSync(file);
    else writeFileSync(file, text);
  }
  return 0;
}

if (import.meta.main) process.exitCode = main(process.argv.includes('--check'));

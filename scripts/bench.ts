/** `npm run bench [-- NAME…]`: runs bench/*.ts one after another and writes their sections of bench/RESULTS.md; the others stay. */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { basename, join } from 'node:path';
import type { Figure } from '../bench/support/figures.ts';
import { buildBundles } from './build.ts';
import { capture, ROOT, say } from './tasks.ts';

const RESULTS = join(ROOT, 'bench', 'RESULTS.md');

interface Outcome {
  readonly name: string;
  readonly title: string;
  readonly figures: readonly Figure[];
  readonly failure?: string;
}

async function main(wanted: readonly string[]): Promise<number> {
  await buildBundles();
  const all = globSync('bench/*.ts', { cwd: ROOT })
    .map((file) => basename(file, '.ts'))
    .sort();
  const unknown = wanted.filter((name) => !all.includes(name));
  if (unknown.length > 0) {
    say(`no benchmark ${unknown.join(', ')}; there are ${all.join(', ')}`);
    return 1;
  }
  let isFailed = false;
  // One after another: two at once would measure each other. Each is written when it ends: a later one may not.
  for (const name of wanted.length > 0 ? wanted : all) {
    const outcome = await runBenchmark(name);
    isFailed ||= outcome.failure !== undefined;
    const kept = sectionsOf(existsSync(RESULTS) ? readFileSync(RESULTS, 'utf8') : '');
    kept.set(name, section(outcome));
    writeFileSync(RESULTS, page(all.flatMap((one) => kept.get(one) ?? [])));
  }
  return isFailed ? 1 : 0;
}

async function runBenchmark(name: string): Promise<Outcome> {
  say(`bench/${name}.ts`);
  const file = join(ROOT, 'bench', `${name}.ts`);
  const { code, output } = await capture(process.execPath, ['--conditions=source', '--expose-gc', file]);
  const figures = output
    .split('\n')
    .filter((line) => line.startsWith('{"name"'))
    .map((line) => JSON.parse(line) as Figure);
  for (const figure of figures) process.stdout.write(`  ${figure.name}: ${measured(figure)} ${verdict(figure)}\n`);
  if (code !== 0) say(`bench/${name}.ts failed:\n${output}`);
  const title = titleOf(readFileSync(file, 'utf8'));
  return { name, title, figures, ...(code === 0 ? {} : { failure: `It failed with exit code ${code}.` }) };
}

/** The first comment of the file says what it measures. */
function titleOf(source: string): string {
  const comment = /\/\*\*([\s\S]*?)\*\//.exec(source)?.[1] ?? '';
  return comment.replaceAll(/\n \*/g, ' ').trim().replaceAll(/\s+/g, ' ');
}

function page(sections: readonly string[]): string {
  const head = [
    '# Benchmarks',
    '',
    'All of it again: `npm run bench`; one: `npm run bench -- NAME`. Both write this file. A missed target is marked **missed**. A ratio is',
    'the value divided by that of the thing named beside it, measured in the same run.',
  ];
  return `${[...head, ...sections].join('\n')}\n`;
}

/** The sections of an earlier page, by benchmark. */
function sectionsOf(text: string): Map<string, string> {
  const [, ...parts] = text.split(/^## /m);
  return new Map(parts.map((part) => [part.split('\n', 1)[0] ?? '', `\n## ${part.trimEnd()}`]));
}

function section({ name, title, figures, failure }: Outcome): string {
  const rows = figures.map(
    (figure) => `| ${figure.name} | ${measured(figure)} | ${target(figure)} | ${ratio(figure)} |`,
  );
  const table = ['| what | measured | target | ratio |', '|---|---|---|---|', ...rows];
  const notes = figures.flatMap((figure) => (figure.note === undefined ? [] : [`- ${figure.name}: ${figure.note}.`]));
  return [
    '',
    `## ${name}`,
    '',
    title,
    `Again: \`npm run bench -- ${name}\`. ${circumstances()}`,
    '',
    ...(failure === undefined ? [] : [failure, '']),
    ...(rows.length === 0 ? [] : table),
    ...(notes.length === 0 ? [] : ['', ...notes]),
  ].join('\n');
}

function circumstances(): string {
  const gib = Math.round(totalmem() / 2 ** 30);
  const machine = `${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ${gib} GiB, Linux ${release().split('-')[0]}`;
  return `Measured on ${new Date().toISOString().slice(0, 10)} at ${commit()}: ${machine}, Node ${process.version}.`;
}

function measured({ value, unit }: Figure): string {
  return withUnit(value, unit);
}

function target(figure: Figure): string {
  const { atLeast, atMost, ratioAtMost, unit } = figure;
  const parts = [
    ...(atLeast === undefined ? [] : [`≥ ${withUnit(atLeast, unit)}`]),
    ...(atMost === undefined ? [] : [`≤ ${withUnit(atMost, unit)}`]),
    ...(ratioAtMost === undefined ? [] : [`ratio ≤ ${ratioAtMost}`]),
  ];
  return [parts.join(', '), verdict(figure)].filter((part) => part !== '').join(' ');
}

function verdict({ value, atLeast, atMost, ratio: actual, ratioAtMost }: Figure): string {
  const isMissed =
    (atLeast !== undefined && value < atLeast) ||
    (atMost !== undefined && value > atMost) ||
    (ratioAtMost !== undefined && actual !== undefined && actual > ratioAtMost);
  return isMissed ? '**missed**' : '';
}

function ratio(figure: Figure): string {
  return figure.ratio === undefined ? '' : `${figure.ratio} of ${figure.of ?? 'the same without Skerry'}`;
}

function withUnit(value: number, unit: string): string {
  const text = value.toLocaleString('en');
  return unit.startsWith('/') ? `${text}${unit}` : `${text} ${unit}`;
}

function commit(): string {
  return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).trim();
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));

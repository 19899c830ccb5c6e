/** Whether each published name has its case, or says what it lacks. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Entry } from './requirement.ts';

export type Group = 'Without nodes' | 'With nodes';

/** The names that we answer for, as Kubernetes publishes them. */
export function publishedNames(): Readonly<Record<Group, readonly string[]>> {
  const text = readFileSync(join(import.meta.dirname, 'names.txt'), 'utf8');
  const [without = '', withNodes = ''] = text.split('# With nodes\n');
  return { 'Without nodes': linesOf(without), 'With nodes': linesOf(withNodes) };
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line.startsWith('['));
}

/** What is wrong with the entries of a group; nothing, when all is well. */
export function problemsOf(names: readonly string[], entries: readonly Entry[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const { name } of entries) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [
    ...names.filter((name) => !counts.has(name)).map((name) => `has neither a case nor a reason: ${name}`),
    ...[...counts.keys()].filter((name) => !names.includes(name)).map((name) => `is not in names.txt: ${name}`),
    ...[...counts]
      .filter(([, count]) => count > 1)
      .map(([name]) => `stands twice, so its 'missing' may be over: ${name}`),
  ];
}

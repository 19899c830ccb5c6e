/** Match conditions of webhooks and policies: whether a request concerns them at all. */
import type { FieldError } from '../../schema.ts';
import { duplicate, required, tooMany } from '../../walker/field-errors.ts';
import type { Cel, Program } from '../cel.ts';
import { compileAt, type Evaluation, type NamedExpression, requestScope } from './request-scope.ts';

/** As many as Kubernetes takes. */
const MAX_CONDITIONS = 64;

export interface Conditions {
  readonly programs: readonly { readonly name: string; readonly program: Program }[];
  readonly faults: readonly FieldError[];
}

/** What became of them; an error counts only when none says no. */
export type Match =
  | { readonly type: 'yes' }
  | { readonly type: 'no' }
  | { readonly type: 'error'; readonly message: string };

export function compileConditions(
  cel: Cel,
  conditions: readonly NamedExpression[],
  { path, params = false }: { readonly path: string; readonly params?: boolean },
): Conditions {
  const scope = requestScope(cel, { params });
  const faults: FieldError[] = [];
  const programs: { name: string; program: Program }[] = [];
  if (conditions.length > MAX_CONDITIONS) faults.push(tooMany(path, conditions.length, MAX_CONDITIONS));
  const names = new Set<string>();
  for (const [index, { name, expression }] of conditions.slice(0, MAX_CONDITIONS).entries()) {
    const at = `${path}[${index}]`;
    if (name === '') faults.push(required(`${at}.name`));
    else if (names.has(name)) faults.push(duplicate(`${at}.name`, name));
    names.add(name);
    const program = compileAt(scope, { expression, returns: ['bool'], path: `${at}.expression` }, faults);
    if (program !== undefined) programs.push({ name, program });
  }
  return { programs, faults };
}

export function evaluateConditions({ programs }: Conditions, evaluation: Evaluation): Match {
  const errors: string[] = [];
  for (const { name, program } of programs) {
    const outcome = evaluation.run(program);
    if (outcome.type === 'error') errors.push(`match condition "${name}": ${outcome.message}`);
    else if (outcome.value === false) return { type: 'no' };
    else if (outcome.value !== true) errors.push(`match condition "${name}": no such overload`);
  }
  return errors.length === 0 ? { type: 'yes' } : { type: 'error', message: errors.join('; ') };
}

/** Variables of a policy: computed when first read, in the order they are written, each at most once a request. */
import type { FieldError } from '../../schema.ts';
import { duplicate, invalid } from '../../walker/field-errors.ts';
import type { Cel, Program } from '../cel.ts';
import { compileAt, type Evaluation, type NamedExpression, requestScope } from './request-scope.ts';

const MAX_VARIABLES = 100;

export interface Variables {
  readonly names: readonly string[];
  readonly programs: ReadonlyMap<string, Program>;
}

export function compileVariables(
  cel: Cel,
  variables: readonly NamedExpression[],
  { params, faults }: { readonly params: boolean; readonly faults: FieldError[] },
): Variables {
  const programs = new Map<string, Program>();
  const names: string[] = [];
  for (const [index, { name, expression }] of variables.slice(0, MAX_VARIABLES).entries()) {
    const path = `spec.variables[${index}]`;
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      faults.push(invalid(`${path}.name`, name, 'name is not a valid CEL identifier'));
      continue;
    }
    if (names.includes(name)) faults.push(duplicate(`${path}.name`, name));
    // One sees only those before it, so that none can depend on itself.
    const scope = requestScope(cel, { params, variables: names });
    const program = compileAt(scope, { expression, returns: ['any'], path: `${path}.expression` }, faults);
    if (program === undefined) continue;
    programs.set(name, program);
    names.push(name);
  }
  return { names, programs };
}

/** Lets the expressions of `evaluation` read them. */
export function offerVariables({ programs }: Variables, evaluation: Evaluation): void {
  const variables: object = Object.create(null);
  for (const [name, program] of programs) {
    const compute = () => {
      const outcome = evaluation.run(program);
      if (outcome.type === 'value') return outcome.value;
      throw new Error(`composited variable "${name}" fails to evaluate: ${outcome.message}`);
    };
    define(variables, name, compute);
  }
  evaluation.values['variables'] = variables;
}

function define(variables: object, name: string, compute: () => unknown): void {
  const get = () => {
    const value = compute();
    Object.defineProperty(variables, name, { value, enumerable: true });
    return value;
  };
  Object.defineProperty(variables, name, { get, enumerable: true, configurable: true });
}

/** Looking through expressions before names have a meaning. */
import type { Expression } from '../ast.ts';
import { FUNCTIONS } from '../functions/index.ts';

function childrenOf(expression: Expression): readonly (Expression | undefined)[] {
  switch (expression.kind) {
    case 'unary':
    case 'isNull':
      return [expression.operand];
    case 'binary':
      return [expression.left, expression.right];
    case 'between':
      return [expression.operand, expression.low, expression.high];
    case 'like':
      return [expression.operand, expression.pattern];
    case 'in':
      return [expression.operand, ...('kind' in expression.choices ? [expression.choices] : expression.choices)];
    case 'case': {
      const branches = expression.branches.flatMap(({ when, result }) => [when, result]);
      return [expression.subject, ...branches, expression.otherwise];
    }
    case 'call':
      return [...expression.args, expression.filter, ...(expression.over?.partition ?? []), expression.over?.when];
    case 'member':
      return [expression.object];
    case 'index':
      return [expression.object, expression.index];
    case 'slice':
      return [expression.object, expression.from, expression.to];
    default:
      return [];
  }
}

function some(expression: Expression, test: (part: Expression) => boolean): boolean {
  return test(expression) || childrenOf(expression).some((child) => child !== undefined && some(child, test));
}

export function hasAggregate(expression: Expression): boolean {
  return some(expression, (part) => part.kind === 'call' && FUNCTIONS.get(part.name)?.kind === 'aggregate');
}

export function mentions(expression: Expression, name: string): boolean {
  return some(expression, (part) => part.kind === 'name' && part.name === name);
}

/** The conditions that AND joins. */
export function conjuncts(expression: Expression): readonly Expression[] {
  if (expression.kind !== 'binary' || expression.operator !== 'and') return [expression];
  return [...conjuncts(expression.left), ...conjuncts(expression.right)];
}

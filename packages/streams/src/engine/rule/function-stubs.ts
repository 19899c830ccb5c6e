/** Functions of a rule as SQL sees them, where they are not run. */
import type { RuleFunction } from '../../kinds/rule.ts';
import type { UserFunction } from '../../sql/index.ts';
import { dataTypeOf } from './catalog.ts';

export function describeStubs(functions: readonly RuleFunction[]): readonly UserFunction[] {
  return functions.map(({ name, parameters = [], returns = 'Any' }) => ({
    name,
    parameters: parameters.map((type) => dataTypeOf(type)),
    returns: dataTypeOf(returns),
    call: () => undefined,
  }));
}

/** The Common Expression Language as the API server speaks it: compiled once, checked against types, evaluated within a cost. */
import { Environment } from '@marcbachmann/cel-js';
import { addAuthorizer } from './library/authorizer.ts';
import { addComprehensions } from './library/comprehensions.ts';
import { equalityOf } from './library/equality.ts';
import { addFunctions } from './library/functions.ts';
import { addIpFunctions } from './library/ip.ts';
import { listFunctions } from './library/lists.ts';
import { addNamedFormats } from './library/named-formats.ts';
import { addOptionals } from './library/optionals.ts';
import { addQuantityFunctions } from './library/quantity.ts';
import { regexFunctions } from './library/regex.ts';
import { addSemverFunctions } from './library/semver.ts';
import { addSetFunctions } from './library/sets.ts';
import { stringFunctions } from './library/strings.ts';
import { addUrlFunctions } from './library/url.ts';
import { CostExceeded, EXPRESSION_COST_LIMIT, Meter } from './meter.ts';
import { checkTestedFields, meterTree, prepareTree } from './syntax-tree.ts';
import { compileError, evaluationError } from './wording.ts';

/** Characters of one expression. */
const MAX_EXPRESSION_LENGTH = 100_000;

const LIMITS = { maxAstNodes: 20_000, maxDepth: 100, maxListElements: 1000, maxMapEntries: 1000, maxCallArguments: 32 };

/** A type by its fields: names of other types, or of the language's own such as `list<string>`. */
export type ObjectTypes = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** What an expression may read, and what it must come to. */
export interface Declarations {
  readonly variables: Readonly<Record<string, string>>;
  readonly types?: ObjectTypes;
}

export type Outcome =
  | { readonly type: 'value'; readonly value: unknown; readonly cost: number }
  | { readonly type: 'error'; readonly message: string; readonly isOverBudget: boolean };

export interface Program {
  readonly expression: string;
  /** The variables that it reads. */
  readonly reads: ReadonlySet<string>;
  /** Values are those of `toCel`. */
  evaluate(variables: Readonly<Record<string, unknown>>, limit?: number): Outcome;
}

export type Compiled =
  | { readonly type: 'program'; readonly program: Program }
  | { readonly type: 'error'; readonly message: string };

/** Expressions over the same variables. */
export interface Scope {
  /** `returns` is what the expression must come to, any of them. */
  compile(expression: string, returns: readonly string[]): Compiled;
}

/** Makes scopes; one for each server, as its library is large. */
export class Cel {
  readonly #meter = new Meter();
  readonly #library = library(this.#meter);

  scope({ variables, types = {} }: Declarations): Scope {
    const checking = this.#library.clone();
    const running = this.#library.clone();
    registerTypes(checking, types);
    for (const [name, type] of Object.entries(variables)) {
      checking.registerVariable(name, type);
      // Types are settled when an expression is accepted; objects of then and now are values like others.
      running.registerVariable(name, 'dyn');
    }
    return { compile: (expression, returns) => this.#compile({ checking, running }, expression, returns) };
  }

  #compile(
    { checking, running }: { readonly checking: Environment; readonly running: Environment },
    expression: string,
    returns: readonly string[],
  ): Compiled {
    if (expression.length > MAX_EXPRESSION_LENGTH)
      return failed(`expression exceeds ${MAX_EXPRESSION_LENGTH} characters`);
    const checked = checkIn(checking, expression);
    if (checked.error !== undefined) return failed(compileError(checked.error, expression));
    const { type = 'dyn' } = checked;
    if (type !== 'dyn' && !returns.includes('any') && !returns.includes(type.replace(/<.*/s, '')))
      return failed(`must evaluate to ${returns.join(' or ')}`);
    const parsed = running.parse(expression);
    const reads = prepareTree(parsed.ast);
    const bound = parsed.check();
    if (!bound.valid) return failed(compileError(bound.error, expression));
    meterTree(parsed.ast, this.#meter);
    return { type: 'program', program: this.#program(expression, reads, parsed) };
  }

  #program(expression: string, reads: ReadonlySet<string>, run: (variables: object) => unknown): Program {
    const meter = this.#meter;
    return {
      expression,
      reads,
      evaluate: (variables, limit = EXPRESSION_COST_LIMIT) => {
        try {
          const value = meter.run(limit, () => run(variables));
          return { type: 'value', value, cost: meter.spent };
        } catch (error) {
          return { type: 'error', message: evaluationError(error), isOverBudget: error instanceof CostExceeded };
        }
      },
    };
  }
}

/** What is wrong with the expression; undefined and its type when nothing is. */
function checkIn(environment: Environment, expression: string): { readonly error?: unknown; readonly type?: string } {
  try {
    const parsed = environment.parse(expression);
    checkTestedFields(parsed.ast);
    const { error, type } = parsed.check();
    return error === undefined ? { type: type ?? 'dyn' } : { error };
  } catch (error) {
    return { error };
  }
}

function failed(message: string): Compiled {
  return { type: 'error', message };
}

function library(meter: Meter): Environment {
  const environment = new Environment({
    enableOptionalTypes: true,
    homogeneousAggregateLiterals: false,
    limits: LIMITS,
  });
  const isEqual = equalityOf(environment);
  addFunctions(environment, { ...stringFunctions(meter), ...regexFunctions(meter), ...listFunctions(isEqual) });
  addComprehensions(environment);
  addOptionals(environment);
  addSetFunctions(environment, isEqual, meter);
  addUrlFunctions(environment);
  addIpFunctions(environment);
  addQuantityFunctions(environment);
  addSemverFunctions(environment);
  addNamedFormats(environment);
  addAuthorizer(environment, meter);
  return environment;
}

/** Names first, fields after: types may be made of each other. */
function registerTypes(environment: Environment, types: ObjectTypes): void {
  for (const [name, fields] of Object.entries(types)) {
    environment.registerType(name, { ctor: class {}, fields: { ...fields } });
  }
}

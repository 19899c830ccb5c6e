/** Macros over two variables, an index or key and its value: `all`, `exists`, `existsOne`, `transformList`, `transformMap`. */
import type { Environment } from '@marcbachmann/cel-js';
import { CelFailure } from './functions.ts';
import { type Call, type Checker, type Context, type Evaluator, type Fork, nameOf } from './macro.ts';

type Entry = readonly [key: unknown, value: unknown];

/** One pass over the entries: `take` gives back true when no more are needed. */
interface Gathering {
  take(result: readonly unknown[], entry: Entry): boolean;
  end(): unknown;
}

interface Form {
  /** An entry that fails counts only when no other decides. */
  readonly survivesErrors: boolean;
  /** How many of the parts after the two variables must be true or false. */
  readonly conditions: number;
  readonly type: string;
  begin(): Gathering;
}

export function addComprehensions(environment: Environment): void {
  for (const on of ['list', 'map']) {
    add(environment, `${on}.all(ast, ast, ast): bool`, QUANTIFIERS.all);
    add(environment, `${on}.exists(ast, ast, ast): bool`, QUANTIFIERS.exists);
    add(environment, `${on}.existsOne(ast, ast, ast): bool`, QUANTIFIERS.existsOne);
    add(environment, `${on}.transformList(ast, ast, ast): list<dyn>`, transformList(0));
    add(environment, `${on}.transformList(ast, ast, ast, ast): list<dyn>`, transformList(1));
    add(environment, `${on}.transformMap(ast, ast, ast): map<dyn, dyn>`, transformMap(0));
    add(environment, `${on}.transformMap(ast, ast, ast, ast): map<dyn, dyn>`, transformMap(1));
  }
}

const QUANTIFIERS = {
  all: quantifier(true, (seen) => ({ isDone: seen.no > 0, is: seen.no === 0 })),
  exists: quantifier(true, (seen) => ({ isDone: seen.yes > 0, is: seen.yes > 0 })),
  existsOne: quantifier(false, (seen) => ({ isDone: seen.yes > 1, is: seen.yes === 1 })),
};

function quantifier(
  survivesErrors: boolean,
  judge: (seen: { yes: number; no: number }) => { isDone: boolean; is: boolean },
): Form {
  return {
    survivesErrors,
    conditions: 1,
    type: 'bool',
    begin: () => {
      const seen = { yes: 0, no: 0 };
      return {
        take: ([holds]) => {
          seen[holds === true ? 'yes' : 'no']++;
          return judge(seen).isDone;
        },
        end: () => judge(seen).is,
      };
    },
  };
}

function transformList(conditions: number): Form {
  return {
    survivesErrors: false,
    conditions,
    type: 'list<dyn>',
    begin: () => {
      const list: unknown[] = [];
      return {
        take: (result) => {
          if (result.length > conditions) list.push(result[conditions]);
          return false;
        },
        end: () => list,
      };
    },
  };
}

function transformMap(conditions: number): Form {
  return {
    survivesErrors: false,
    conditions,
    type: 'map<dyn, dyn>',
    begin: () => {
      const map = new Map<unknown, unknown>();
      return {
        take: (result, [key]) => {
          if (result.length > conditions) map.set(key, result[conditions]);
          return false;
        },
        end: () => map,
      };
    },
  };
}

function add(environment: Environment, signature: string, form: Form): void {
  environment.registerFunction(signature, ({ args, receiver }: Call) => macro(args, receiver, form));
}

interface State {
  readonly receiver: unknown;
  readonly parts: readonly unknown[];
  keys?: Fork;
  values?: Fork;
}

function macro([key, value, ...parts]: Call['args'], receiver: unknown, form: Form): object {
  const state: State = { receiver, parts };
  return {
    // Named here so that whoever walks the tree finds them.
    receiver,
    parts,
    async: false,
    typeCheck: (checker: Checker, _: unknown, context: Context) => {
      const [keyName, valueName] = [nameOf(checker, key), nameOf(checker, value)];
      const over = checker.check(receiver, context);
      const dyn = checker.getType('dyn');
      const keyType = over.kind === 'list' ? checker.getType('int') : (over.keyType ?? dyn);
      state.keys = context.forkWithVariable(keyName, keyType);
      state.values = state.keys.forkWithVariable(valueName, over.valueType ?? dyn);
      for (const [index, part] of parts.entries()) {
        const type = checker.check(part, state.values);
        if (index < form.conditions && !type.isDynOrBool())
          throw checker.createError('invalid_predicate', 'expected a predicate of type bool', part);
      }
      return checker.getType(form.type);
    },
    evaluate: (evaluator: Evaluator, _: unknown, context: Context) => gather(evaluator, context, state, form),
  };
}

function gather(evaluator: Evaluator, context: Context, state: State, form: Form): unknown {
  const gathering = form.begin();
  let failure: unknown;
  for (const entry of entriesOf(evaluator.run(state.receiver, context))) {
    try {
      if (gathering.take(resultsOf(evaluator, context, state, { entry, form }), entry)) return gathering.end();
    } catch (error) {
      if (!form.survivesErrors) throw error;
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  return gathering.end();
}

/** What the parts come to for one entry, up to a condition that says no. */
function resultsOf(
  evaluator: Evaluator,
  context: Context,
  { parts, keys, values }: State,
  { entry: [key, value], form }: { readonly entry: Entry; readonly form: Form },
): readonly unknown[] {
  const scope = values
    ?.reuse(keys?.reuse(context).setIterValue(key, evaluator) ?? context)
    .setIterValue(value, evaluator);
  const results: unknown[] = [];
  for (const [index, part] of parts.entries()) {
    const found = evaluator.run(part, scope ?? context);
    results.push(found);
    if (index >= form.conditions) continue;
    if (typeof found !== 'boolean') throw new CelFailure('no such overload');
    if (!found) break;
  }
  return results;
}

function entriesOf(value: unknown): Iterable<Entry> {
  if (Array.isArray(value)) return value.map((item, index): Entry => [BigInt(index), item]);
  if (value instanceof Map) return value.entries();
  if (typeof value === 'object' && value !== null) return Object.entries(value);
  throw new CelFailure('no such overload');
}

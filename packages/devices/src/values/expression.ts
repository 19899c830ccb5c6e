/** Arithmetic that people write in resources: parsed once by jsep, then a tree of closures. No code is ever made of text. */
import jsep from 'jsep';

export type Operand = number | boolean | string;

export interface Expression {
  /** The variables that it uses, of those that it may use. */
  readonly uses: readonly string[];
  /** `operands` in the order of the variables given to `compileExpression`. */
  evaluate(operands: readonly Operand[]): Operand;
}

/** Not an expression, or not one of ours; the message completes a sentence about its field. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
}

const MAX_EXPRESSION_LENGTH = 1024;

/** Throws an ExpressionError; evaluating never throws and never loops. */
export function compileExpression(text: string, variables: readonly string[]): Expression {
  if (text.length > MAX_EXPRESSION_LENGTH)
    throw new ExpressionError(`is longer than ${MAX_EXPRESSION_LENGTH} characters`);
  const uses = new Set<string>();
  const evaluate = compile(parse(text), (name) => {
    const index = variables.indexOf(name);
    if (index < 0) throw new ExpressionError(`knows no variable ${name}; there are ${variables.join(', ')}`);
    uses.add(name);
    return index;
  });
  return { uses: [...uses], evaluate };
}

type Evaluate = (operands: readonly Operand[]) => Operand;
type IndexOf = (variable: string) => number;

function parse(text: string): jsep.Expression {
  try {
    return jsep(text);
  } catch (cause) {
    throw new ExpressionError(`is not an expression: ${(cause as Error).message}`, { cause });
  }
}

function compile(expression: jsep.Expression, indexOf: IndexOf): Evaluate {
  const node = expression as jsep.CoreExpression;
  switch (node.type) {
    case 'Literal':
      return literal(node);
    case 'Identifier': {
      const index = indexOf(node.name);
      return (operands) => operands[index] ?? Number.NaN;
    }
    case 'UnaryExpression':
      return unary(node.operator, compile(node.argument, indexOf));
    case 'BinaryExpression':
      return binary(node.operator, compile(node.left, indexOf), compile(node.right, indexOf));
    case 'ConditionalExpression': {
      const test = compile(node.test, indexOf);
      const consequent = compile(node.consequent, indexOf);
      const alternate = compile(node.alternate, indexOf);
      return (operands) => (test(operands) ? consequent(operands) : alternate(operands));
    }
    case 'CallExpression':
      return call(node, indexOf);
    case 'ArrayExpression':
    case 'Compound':
    case 'MemberExpression':
    case 'SequenceExpression':
    case 'ThisExpression':
      throw new ExpressionError('may have numbers, variables, operators and functions only');
  }
}

function literal({ value }: jsep.Literal): Evaluate {
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string') return () => value;
  throw new ExpressionError('may have numbers, texts, true and false only');
}

function unary(operator: string, argument: Evaluate): Evaluate {
  switch (operator) {
    case '-':
      return (operands) => -Number(argument(operands));
    case '+':
      return (operands) => Number(argument(operands));
    case '!':
      return (operands) => !argument(operands);
    case '~':
      return (operands) => ~Number(argument(operands));
    default:
      throw new ExpressionError(`has the operator ${operator}, which is not known`);
  }
}

type Combine = (left: Operand, right: Operand) => Operand;

const arithmetic =
  (combine: (left: number, right: number) => Operand): Combine =>
  (left, right) =>
    combine(Number(left), Number(right));

/** Texts are compared with texts; all else as numbers. */
const isEqual: Combine = (left, right) =>
  typeof left === 'string' && typeof right === 'string' ? left === right : Number(left) === Number(right);

const OPERATORS: Readonly<Record<string, Combine>> = {
  '+': arithmetic((left, right) => left + right),
  '-': arithmetic((left, right) => left - right),
  '*': arithmetic((left, right) => left * right),
  '/': arithmetic((left, right) => left / right),
  '%': arithmetic((left, right) => left % right),
  '**': arithmetic((left, right) => left ** right),
  '<': arithmetic((left, right) => left < right),
  '<=': arithmetic((left, right) => left <= right),
  '>': arithmetic((left, right) => left > right),
  '>=': arithmetic((left, right) => left >= right),
  '&': arithmetic((left, right) => left & right),
  '|': arithmetic((left, right) => left | right),
  '^': arithmetic((left, right) => left ^ right),
  '<<': arithmetic((left, right) => left << right),
  '>>': arithmetic((left, right) => left >> right),
  '>>>': arithmetic((left, right) => left >>> right),
  '==': isEqual,
  '===': isEqual,
  '!=': (left, right) => !isEqual(left, right),
  '!==': (left, right) => !isEqual(left, right),
};

function binary(operator: string, left: Evaluate, right: Evaluate): Evaluate {
  if (operator === '&&') return (operands) => left(operands) && right(operands);
  if (operator === '||') return (operands) => left(operands) || right(operands);
  const combine = Object.hasOwn(OPERATORS, operator) ? OPERATORS[operator] : undefined;
  if (combine === undefined) throw new ExpressionError(`has the operator ${operator}, which is not known`);
  return (operands) => combine(left(operands), right(operands));
}

interface NamedFunction {
  readonly arity: number | 'any';
  readonly apply: (...numbers: number[]) => number;
}

const one = (apply: (number: number) => number): NamedFunction => ({ arity: 1, apply });

const FUNCTIONS: Readonly<Record<string, NamedFunction>> = {
  abs: one(Math.abs),
  ceil: one(Math.ceil),
  clamp: { arity: 3, apply: (number = 0, low = 0, high = 0) => Math.min(high, Math.max(low, number)) },
  cos: one(Math.cos),
  exp: one(Math.exp),
  floor: one(Math.floor),
  ln: one(Math.log),
  log10: one(Math.log10),
  max: { arity: 'any', apply: Math.max },
  min: { arity: 'any', apply: Math.min },
  pow: { arity: 2, apply: Math.pow },
  round: one(Math.round),
  sign: one(Math.sign),
  sin: one(Math.sin),
  sqrt: one(Math.sqrt),
  tan: one(Math.tan),
  trunc: one(Math.trunc),
};

function call({ callee, arguments: given }: jsep.CallExpression, indexOf: IndexOf): Evaluate {
  const name = callee.type === 'Identifier' ? String((callee as jsep.Identifier).name) : '';
  const known = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
  if (known === undefined)
    throw new ExpressionError(`calls ${name || 'what is no function'}; there are ${Object.keys(FUNCTIONS).join(', ')}`);
  const { arity, apply } = known;
  if (arity === 'any' ? given.length === 0 : given.length !== arity)
    throw new ExpressionError(
      `calls ${name} with ${given.length} values; it takes ${arity === 'any' ? 'one or more' : arity}`,
    );
  const inputs = given.map((each) => compile(each, indexOf));
  return (operands) => apply(...inputs.map((input) => Number(input(operands))));
}

/** What expressions of admission see of a request, and how much of it they may compute. */
import type { Authorizer, UserInfo } from '../../access.ts';
import { isObject } from '../../json.ts';
import type { FieldError } from '../../schema.ts';
import { invalid, required } from '../../walker/field-errors.ts';
import type { Cel, Declarations, Outcome, Program, Scope } from '../cel.ts';
import { AUTHORIZER, CelAuthorizer } from '../library/authorizer.ts';
import { EXPRESSION_COST_LIMIT } from '../meter.ts';
import { toCel } from '../values.ts';

/** Of all expressions of one policy, or of the conditions of one webhook, for one request. */
const REQUEST_COST_LIMIT = 10_000_000;

/** One write, as admission sees it. Objects are as they are served. */
export interface AdmissionInput {
  /** Null when something is deleted. */
  readonly object: object | null;
  /** Null when something is created. */
  readonly oldObject: object | null;
  /** The AdmissionRequest without the objects. */
  readonly request: object;
  readonly params?: object | null;
  /** The Namespace that the object is in; null for what has none. */
  readonly namespaceObject?: object | null;
  readonly authorizer: Authorizer;
  readonly user: UserInfo;
}

export interface NamedExpression {
  readonly name: string;
  readonly expression: string;
}

const SEEN = { object: 'dyn', oldObject: 'dyn', request: 'dyn', namespaceObject: 'dyn', authorizer: AUTHORIZER };

/** The scope of expressions that see the request, the parameters if there are such, and the variables named before them. */
export function requestScope(
  cel: Cel,
  options: { readonly params?: boolean; readonly variables?: readonly string[] } = {},
): Scope {
  const { params = false, variables } = options;
  const declared: Declarations = {
    variables: {
      ...SEEN,
      ...(params ? { params: 'dyn' } : {}),
      ...(variables === undefined ? {} : { variables: 'Variables' }),
    },
    types: variables === undefined ? {} : { Variables: Object.fromEntries(variables.map((name) => [name, 'dyn'])) },
  };
  return cel.scope(declared);
}

/** Compiles, or notes what is wrong at `path`. */
export function compileAt(
  scope: Scope,
  {
    expression,
    returns,
    path,
  }: { readonly expression: string; readonly returns: readonly string[]; readonly path: string },
  faults: FieldError[],
): Program | undefined {
  if (expression.trim() === '') {
    faults.push(required(path, 'expression is not specified'));
    return undefined;
  }
  const compiled = scope.compile(expression, returns);
  if (compiled.type === 'program') return compiled.program;
  faults.push(invalid(path, expression, `compilation failed: ${compiled.message}`));
  return undefined;
}

/** A request as values of the language, made once for all that look at it; and what they may cost together. */
export class Evaluation {
  readonly values: Record<string, unknown>;
  #left = REQUEST_COST_LIMIT;

  constructor(input: AdmissionInput) {
    const { authorizer, user, request } = input;
    this.values = {
      object: toCel(input.object),
      oldObject: toCel(input.oldObject),
      request: toCel(request),
      params: toCel(input.params ?? null),
      namespaceObject: toCel(input.namespaceObject ?? null),
      authorizer: new CelAuthorizer(authorizer, user, askedOf(request)),
    };
  }

  run(program: Program): Outcome {
    const outcome = program.evaluate(this.values, Math.min(EXPRESSION_COST_LIMIT, this.#left));
    if (outcome.type === 'value') this.#left -= outcome.cost;
    else if (outcome.isOverBudget) this.#left = 0;
    return outcome;
  }
}

/** `authorizer.requestResource` is what the request itself is about. */
function askedOf(request: object): CelAuthorizer['asked'] {
  const { resource, subResource, namespace, name } = request as Readonly<Record<string, unknown>>;
  if (!isObject(resource)) return undefined;
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  return {
    group: text(resource['group']),
    resource: text(resource['resource']),
    ...(text(subResource) === '' ? {} : { subresource: text(subResource) }),
    ...(text(namespace) === '' ? {} : { namespace: text(namespace) }),
    ...(text(name) === '' ? {} : { name: text(name) }),
  };
}

/** What is reached within a value: fields, elements, slices. */
import type { Expression, Index, Member, Slice, Span } from '../ast.ts';
import type { Bound } from '../compile/bound.ts';
import { ANY, type DataType, isNumeric, isOpen, showType } from '../data-type.ts';
import { printExpression } from '../print.ts';
import type { Binder, Clause } from './binder.ts';

/** `source.column`, or a field of a struct. */
export function bindMember(binder: Binder, expression: Member, clause: Clause): Bound {
  const { object, name, through, span } = expression;
  const source = object.kind === 'name' && through === '.' ? binder.scope.source(object.name) : undefined;
  if (source !== undefined) return binder.column(binder.scope.columnOf(source, name, span), name, span, clause);
  const bound = binder.bind(object, clause);
  const type = fieldType(binder, bound.type, name, span);
  return { kind: 'member', object: bound, name, type, says: printExpression(expression) };
}

function fieldType(binder: Binder, type: DataType, name: string, span: Span): DataType {
  if (isOpen(type)) return ANY;
  if (type.kind === 'array') return { kind: 'array', element: fieldType(binder, type.element, name, span) };
  if (type.kind !== 'struct') throw binder.error(span, `a ${showType(type)} has no fields`);
  if (type.fields.length === 0) return ANY;
  const field = type.fields.find((one) => one.name === name);
  if (field !== undefined) return field.type;
  throw binder.scope.unknown(
    'field',
    name,
    type.fields.map((one) => one.name),
    span,
  );
}

export function bindIndex(binder: Binder, expression: Index, clause: Clause): Bound {
  const object = binder.bind(expression.object, clause);
  const index = binder.bind(expression.index, clause);
  const { type } = object;
  if (type.kind !== 'array' && type.kind !== 'struct' && !isOpen(type)) {
    throw binder.error(expression.object.span, `a ${showType(type)} has no elements`);
  }
  const isFitting =
    isOpen(index.type) || isNumeric(index.type) || (type.kind !== 'array' && index.type.kind === 'string');
  if (!isFitting)
    throw binder.error(expression.index.span, `an index is a bigint, this is of type ${showType(index.type)}`);
  const element = type.kind === 'array' ? type.element : ANY;
  return { kind: 'index', object, index, type: element, says: printExpression(expression) };
}

export function bindSlice(binder: Binder, expression: Slice, clause: Clause): Bound {
  const object = binder.bind(expression.object, clause);
  const { type } = object;
  if (type.kind !== 'array' && !isOpen(type)) {
    throw binder.error(
      expression.object.span,
      `a ${showType(type)} has no elements`,
      type.kind === 'string' ? 'use substring' : undefined,
    );
  }
  const [from, to] = [expression.from, expression.to].map((bound) => bound && bindPosition(binder, bound, clause));
  return { kind: 'slice', object, from, to, type, says: printExpression(expression) };
}

function bindPosition(binder: Binder, expression: Expression, clause: Clause): Bound {
  const bound = binder.bind(expression, clause);
  if (isNumeric(bound.type) || isOpen(bound.type)) return bound;
  throw binder.error(expression.span, `an index is a bigint, this is of type ${showType(bound.type)}`);
}

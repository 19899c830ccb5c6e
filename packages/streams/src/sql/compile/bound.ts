/** Expressions whose names have a meaning and whose types are known. */
import type { BinaryOperator } from '../ast.ts';
import type { UserFunction } from '../catalog.ts';
import type { DataType } from '../data-type.ts';
import type { ScalarCall, ScalarFunction } from '../functions/specification.ts';
import type { Value } from '../value.ts';

interface BoundBase {
  readonly type: DataType;
  /** The expression in the words of the statement, for errors. */
  readonly says: string;
}

export interface BoundLiteral extends BoundBase {
  readonly kind: 'literal';
  readonly value: Value;
}

export interface BoundColumn extends BoundBase {
  readonly kind: 'column';
  readonly source: number;
  readonly name: string;
}

/** A name that any of several sources without schema may have: the first that does. */
export interface BoundOpen extends BoundBase {
  readonly kind: 'open';
  readonly name: string;
}

/** All columns as one struct, of all sources or of one. */
export interface BoundRow extends BoundBase {
  readonly kind: 'row';
  readonly source?: number;
}

/** Another column of the same SELECT. */
export interface BoundOutput extends BoundBase {
  readonly kind: 'output';
  readonly slot: number;
}

export interface BoundSlot extends BoundBase {
  readonly kind: 'slot';
  readonly of: 'analytic' | 'aggregates';
  readonly slot: number;
}

export interface BoundMeta extends BoundBase {
  readonly kind: 'meta';
  readonly source: number;
  readonly path: readonly string[];
}

export interface BoundUnary extends BoundBase {
  readonly kind: 'unary';
  readonly operator: 'not' | '-';
  readonly operand: Bound;
}

export interface BoundBinary extends BoundBase {
  readonly kind: 'binary';
  readonly operator: BinaryOperator;
  readonly left: Bound;
  readonly right: Bound;
}

export interface BoundBetween extends BoundBase {
  readonly kind: 'between';
  readonly operand: Bound;
  readonly low: Bound;
  readonly high: Bound;
  readonly isNegated: boolean;
}

export interface BoundLike extends BoundBase {
  readonly kind: 'like';
  readonly operand: Bound;
  readonly pattern: Bound;
  readonly isNegated: boolean;
}

export interface BoundIn extends BoundBase {
  readonly kind: 'in';
  readonly operand: Bound;
  readonly choices: readonly Bound[] | Bound;
  readonly isNegated: boolean;
}

export interface BoundIsNull extends BoundBase {
  readonly kind: 'isNull';
  readonly operand: Bound;
  readonly isNegated: boolean;
}

export interface BoundCase extends BoundBase {
  readonly kind: 'case';
  readonly subject: Bound | undefined;
  readonly branches: readonly { readonly when: Bound; readonly result: Bound }[];
  readonly otherwise: Bound | undefined;
}

export interface BoundCall extends BoundBase {
  readonly kind: 'call';
  readonly of: ScalarFunction;
  /** Prepared for its literals. */
  readonly call: ScalarCall;
  readonly args: readonly Bound[];
}

export interface BoundUserCall extends BoundBase {
  readonly kind: 'userCall';
  readonly of: UserFunction;
  readonly args: readonly Bound[];
}

export interface BoundMember extends BoundBase {
  readonly kind: 'member';
  readonly object: Bound;
  readonly name: string;
}

export interface BoundIndex extends BoundBase {
  readonly kind: 'index';
  readonly object: Bound;
  readonly index: Bound;
}

export interface BoundSlice extends BoundBase {
  readonly kind: 'slice';
  readonly object: Bound;
  readonly from: Bound | undefined;
  readonly to: Bound | undefined;
}

export type Bound =
  | BoundLiteral
  | BoundColumn
  | BoundOpen
  | BoundRow
  | BoundOutput
  | BoundSlot
  | BoundMeta
  | BoundUnary
  | BoundBinary
  | BoundBetween
  | BoundLike
  | BoundIn
  | BoundIsNull
  | BoundCase
  | BoundCall
  | BoundUserCall
  | BoundMember
  | BoundIndex
  | BoundSlice;

/** What it is made of. */
function childrenOf(bound: Bound): readonly Bound[] {
  switch (bound.kind) {
    case 'unary':
    case 'isNull':
      return [bound.operand];
    case 'binary':
      return [bound.left, bound.right];
    case 'between':
      return [bound.operand, bound.low, bound.high];
    case 'like':
      return [bound.operand, bound.pattern];
    case 'in':
      return [bound.operand, ...('kind' in bound.choices ? [bound.choices] : bound.choices)];
    case 'case':
      return [
        ...(bound.subject === undefined ? [] : [bound.subject]),
        ...bound.branches.flatMap(({ when, result }) => [when, result]),
        ...(bound.otherwise === undefined ? [] : [bound.otherwise]),
      ];
    case 'call':
    case 'userCall':
      return bound.args;
    case 'member':
      return [bound.object];
    case 'index':
      return [bound.object, bound.index];
    case 'slice':
      return [
        bound.object,
        ...(bound.from === undefined ? [] : [bound.from]),
        ...(bound.to === undefined ? [] : [bound.to]),
      ];
    default:
      return [];
  }
}

/** Every part, itself first. */
export function* partsOf(bound: Bound): Generator<Bound> {
  yield bound;
  for (const child of childrenOf(bound)) yield* partsOf(child);
}

/**
 * The same text for the same meaning, whatever aliases are called and however it was written: what ids are made from.
 * An aggregate or analytic call, or another column, is what it is made from, not its slot.
 */
export function canonical(bound: Bound, slots: SlotDigests): string {
  return JSON.stringify(shape(bound, slots));
}

export interface SlotDigests {
  readonly analytic: readonly string[];
  readonly aggregates: readonly string[];
  readonly outputs: readonly string[];
}

function shape(bound: Bound, slots: SlotDigests): unknown {
  const parts = childrenOf(bound).map((child) => shape(child, slots));
  switch (bound.kind) {
    case 'literal':
      return typeof bound.value === 'bigint'
        ? { bigint: bound.value.toString() }
        : { value: bound.value ?? null, type: bound.type.kind };
    case 'column':
      return { column: bound.name, of: bound.source };
    case 'open':
      return { column: bound.name };
    case 'row':
      return { row: bound.source ?? '*' };
    case 'output':
      return slots.outputs[bound.slot];
    case 'slot':
      return slots[bound.of][bound.slot];
    case 'meta':
      return { meta: bound.path, of: bound.source };
    case 'unary':
    case 'binary':
      return [bound.operator, bound.type.kind, ...parts];
    case 'between':
    case 'like':
    case 'isNull':
      return [bound.kind, bound.isNegated, ...parts];
    case 'in':
      return ['in', bound.isNegated, 'kind' in bound.choices, ...parts];
    case 'case':
      return ['case', bound.subject !== undefined, bound.otherwise !== undefined, ...parts];
    case 'call':
    case 'userCall':
      return [bound.of.name, ...parts];
    case 'member':
      return ['.', bound.name, ...parts];
    case 'index':
      return ['[]', ...parts];
    case 'slice':
      return ['[:]', bound.from !== undefined, ...parts];
  }
}

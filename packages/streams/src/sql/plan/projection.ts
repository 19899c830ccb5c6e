/** The columns of SELECT: in which order they are evaluated, and the row that they make. */
import type { AllItem, Expression, FieldItem, Name, SelectItem, Span } from '../ast.ts';
import { wholeRow } from '../compile/access.ts';
import { type Bound, partsOf } from '../compile/bound.ts';
import { compile } from '../compile/expression.ts';
import type { DataType, Schema } from '../data-type.ts';
import { RowError } from '../sql-error.ts';
import type { EvalContext, Evaluate, Input, Row, Value } from '../value.ts';
import { describe, isArray, isNull, isStruct } from '../values.ts';
import type { Binder, Clause } from './binder.ts';
import { type Alias, nameOf } from './scope.ts';

/** One column, or with `except` all those of a struct but these. */
type Part =
  | {
      readonly kind: 'field';
      readonly name: string;
      readonly bound: Bound;
      readonly slot: number;
      readonly isInvisible: boolean;
    }
  | { readonly kind: 'spread'; readonly bound: Bound; readonly slot: number; readonly except: ReadonlySet<string> };

export interface Projection {
  readonly project: (input: Input, context: EvalContext) => Row;
  readonly expand?: (row: Row) => readonly Row[];
  readonly schema?: Schema;
  /** For the id. */
  readonly text: string;
}

/** The aliases that other expressions may name. */
export function aliasesOf(items: readonly SelectItem[]): Alias[] {
  return items.flatMap((item, slot) => {
    const isPlain = item.kind === 'field' && item.alias !== undefined && !isUnnest(item.expression);
    return isPlain ? [{ name: item.alias?.text ?? '', expression: item.expression, slot }] : [];
  });
}

function isUnnest(expression: Expression): boolean {
  return expression.kind === 'call' && expression.name === 'unnest';
}

export function bindProjection(binder: Binder, items: readonly SelectItem[], clause: Clause): Projection {
  refuseDoubles(binder, items);
  const unnested = items.filter((item) => item.kind === 'field' && isUnnest(item.expression)) as readonly FieldItem[];
  const [unnest, second] = unnested;
  if (second !== undefined)
    throw binder.error(second.expression.span, 'a statement has one unnest', 'use WITH for another');
  const parts = bindParts(binder, items, clause);
  const unnestName = unnest === undefined ? undefined : (unnest.alias?.text ?? 'unnest');
  const schema = schemaOf(parts, unnestName);
  return {
    project: compileProjection(parts, binder.scope.width),
    ...(unnestName === undefined ? {} : { expand: expander(unnestName) }),
    ...(schema === undefined ? {} : { schema }),
    text: JSON.stringify(
      parts.map((part) => [part.kind === 'field' ? part.name : [...part.except], binder.drafts.canonical(part.bound)]),
    ),
  };
}

function refuseDoubles(binder: Binder, items: readonly SelectItem[]): void {
  const seen = new Set<string>();
  for (const item of items) {
    if (item.kind === 'all') continue;
    const name = item.alias?.text ?? nameOf(item.expression);
    if (name === undefined || (item.expression.kind === 'call' && item.expression.name === 'changed_cols')) continue;
    if (seen.has(name))
      throw binder.error(
        item.alias?.span ?? item.expression.span,
        `two columns are called ${name}`,
        'name one with AS',
      );
    seen.add(name);
  }
}

/** Columns in the order in which they can be evaluated: what an alias stands for comes before those that name it. */
function bindParts(binder: Binder, items: readonly SelectItem[], clause: Clause): readonly Part[] {
  const bound = new Map<number, Part>();
  const open = new Set<number>();
  const extra: Part[] = [];
  const bindItem = (slot: number): Part | undefined => {
    const item = items[slot];
    if (item === undefined || bound.has(slot)) return bound.get(slot);
    open.add(slot);
    const parts =
      item.kind === 'all' ? bindAll(binder, item, slot, items.length, clause) : [bindField(binder, item, slot, clause)];
    open.delete(slot);
    const [first, ...others] = parts;
    extra.push(...others);
    if (first !== undefined) bound.set(slot, first);
    if (first?.kind === 'field') binder.drafts.outputTexts[slot] = binder.drafts.canonical(first.bound);
    return first;
  };
  binder.outputs = (alias: string, span: Span) => {
    const slot = binder.scope.aliases.get(alias)?.slot ?? -1;
    if (open.has(slot)) throw binder.circle(alias, span);
    const part = bindItem(slot);
    return part === undefined ? undefined : { slot, type: part.bound.type };
  };
  for (const slot of items.keys()) bindItem(slot);
  binder.outputs = undefined;
  return [...bound.values(), ...extra];
}

function bindField(binder: Binder, item: FieldItem, slot: number, clause: Clause): Part {
  const { expression, alias, isInvisible } = item;
  const name = alias?.text ?? nameOf(expression) ?? `field_${slot}`;
  if (expression.kind === 'call' && expression.name === 'unnest') {
    const [array] = expression.args;
    if (array === undefined || expression.args.length !== 1)
      throw binder.error(expression.span, 'unnest takes one array', 'write unnest(array)');
    return { kind: 'field', name, bound: binder.bind(array, clause), slot, isInvisible: false };
  }
  const bound = binder.bind(expression, { ...clause, ...(alias === undefined ? {} : { own: alias.text }) });
  const givesColumns = expression.kind === 'call' && expression.name === 'changed_cols';
  if (!givesColumns) return { kind: 'field', name, bound, slot, isInvisible };
  if (alias !== undefined)
    throw binder.error(alias.span, 'changed_cols gives columns, which have no alias', 'use its prefix');
  return { kind: 'spread', bound, slot, except: new Set() };
}

/** `*` of sources that are all declared is their columns; of others it is whatever the row has. REPLACE stands above EXCEPT. */
function bindAll(binder: Binder, item: AllItem, slot: number, count: number, clause: Clause): Part[] {
  const replaced = new Set(item.replace.map(({ alias }) => alias.text));
  const except = new Set([...item.except.map(({ text }) => text), ...replaced]);
  const replacements = item.replace.map(({ expression, alias }, index): Part => {
    const bound = binder.bind(expression, { ...clause, prefersAliases: false });
    return { kind: 'field', name: alias.text, bound, slot: count + slot * count + index, isInvisible: false };
  });
  const { scope } = binder;
  const sources = item.source === undefined ? scope.sources : [sourceOf(binder, item.source)];
  checkExcepted(binder, item, sources);
  if (sources.every(({ relation }) => relation.schema !== undefined)) {
    const names = new Set<string>();
    const columns = sources.flatMap((source) =>
      (source.relation.schema ?? []).flatMap((field): Part[] => {
        if (names.has(field.name) || except.has(field.name)) return [];
        names.add(field.name);
        const bound = binder.column({ kind: 'column', source, type: field.type }, field.name, item.span, clause);
        return [{ kind: 'field', name: field.name, bound, slot: -1, isInvisible: false }];
      }),
    );
    return [...columns, ...replacements];
  }
  const bound =
    item.source === undefined
      ? binder.row(item.span, clause)
      : oneRow(binder, sourceOf(binder, item.source).index, item.span, clause);
  return [{ kind: 'spread', bound, slot, except }, ...replacements];
}

function sourceOf(binder: Binder, { text, span }: Name) {
  const source = binder.scope.source(text);
  if (source === undefined)
    throw binder.scope.unknown(
      'source',
      text,
      binder.scope.sources.map(({ name }) => name),
      span,
    );
  return source;
}

function checkExcepted(
  binder: Binder,
  { except }: AllItem,
  sources: readonly { readonly relation: { readonly schema?: Schema } }[],
): void {
  const known = sources.flatMap(({ relation }) => (relation.schema ?? []).map(({ name }) => name));
  if (sources.some(({ relation }) => relation.schema === undefined)) return;
  for (const { text, span } of except)
    if (!known.includes(text)) throw binder.scope.unknown('column', text, known, span);
}

/** All columns of one source. */
function oneRow(binder: Binder, source: number, span: Span, clause: Clause): Bound {
  const row = binder.row(span, clause);
  return row.kind === 'row' ? { ...row, source } : row;
}

function schemaOf(parts: readonly Part[], unnested: string | undefined): Schema | undefined {
  if (unnested !== undefined || parts.some(({ kind }) => kind === 'spread')) return undefined;
  const types = new Map<string, DataType>();
  for (const part of parts) if (part.kind === 'field' && !part.isInvisible) types.set(part.name, part.bound.type);
  return [...types].map(([name, type]) => ({ name, type }));
}

/** NULL is a field that is undefined: rows of one statement have one shape, and JSON leaves it out. */
function compileProjection(parts: readonly Part[], width: number): Projection['project'] {
  const [only] = parts;
  if (parts.length === 1 && only?.kind === 'spread' && only.except.size === 0 && only.bound.kind === 'row') {
    return wholeRow(width, only.bound.source);
  }
  const outputs: Value[] = [];
  const isShared = parts.some((part) => hasOutput(part.bound));
  const options = { width, outputs };
  const steps = parts.map((part) => ({ part, evaluate: compile(part.bound, options) }));
  const isFlat = parts.every((part) => part.kind === 'field' && !part.isInvisible);
  if (isFlat && !isShared)
    return flatProjection(steps.map(({ part, evaluate }) => [part.kind === 'field' ? part.name : '', evaluate]));
  // Places in the row follow the statement, evaluation follows the aliases.
  const ordered = steps.toSorted((left, right) => left.part.slot - right.part.slot);
  return (input, context) => {
    const values = new Map<Part, Value>();
    for (const { part, evaluate } of steps) {
      const value = evaluate(input, context);
      values.set(part, value);
      if (part.kind === 'field' && part.slot >= 0) outputs[part.slot] = value;
    }
    return rowOf(ordered.map(({ part }) => [part, values.get(part)]));
  };
}

function hasOutput(bound: Bound): boolean {
  return [...partsOf(bound)].some(({ kind }) => kind === 'output');
}

function rowOf(values: readonly (readonly [Part, Value])[]): Row {
  const row: Record<string, Value> = {};
  for (const [part, value] of values) {
    if (part.kind === 'field') {
      if (!part.isInvisible) setField(row, part.name, value ?? undefined);
      continue;
    }
    for (const [name, field] of Object.entries(isStruct(value) ? value : {})) {
      if (!part.except.has(name)) setField(row, name, field);
    }
  }
  return row;
}

/** Unlike an assignment it makes a field of any name. */
function setField(row: Record<string, Value>, name: string, value: Value): void {
  if (name !== '__proto__') row[name] = value;
  else Object.defineProperty(row, name, { value, enumerable: true, configurable: true, writable: true });
}

function flatProjection(fields: readonly (readonly [string, Evaluate])[]): Projection['project'] {
  return (input, context) => {
    const row: Record<string, Value> = {};
    for (let index = 0; index < fields.length; index++) {
      const [name, evaluate] = fields[index] as readonly [string, Evaluate];
      setField(row, name, evaluate(input, context) ?? undefined);
    }
    return row;
  };
}

/** A row for each element; the fields of a struct become columns. */
function expander(name: string): (row: Row) => readonly Row[] {
  return (row) => {
    const { [name]: items, ...others } = row;
    if (isNull(items)) return [];
    if (!isArray(items)) throw new RowError(`unnest: an array is needed, found ${describe(items)}`);
    return items.map((item) => (isStruct(item) ? { ...others, ...item } : { ...others, [name]: item }));
  };
}

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

/** One column, or with `except` all those of a struct but these. A slot is what other columns know it by. */
type Part =
  | {
      readonly kind: 'field';
      readonly name: string;
      readonly bound: Bound;
      readonly slot?: number;
      readonly isInvisible: boolean;
    }
  | { readonly kind: 'spread'; readonly bound: Bound; readonly except: ReadonlySet<string> };

/** What is evaluated one after another, and where each stands in the row. */
interface Parts {
  readonly evaluated: readonly Part[];
  readonly placed: readonly Part[];
}

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
  const unnested = items.filter((item) => item.kind === 'field' && isUnnest(item.expression)) as readonly FieldItem[];
  const [unnest, second] = unnested;
  if (second !== undefined)
    throw binder.error(second.expression.span, 'a statement has one unnest', 'use WITH for another');
  refuseDoubles(binder, items);
  const parts = bindParts(binder, items, clause);
  const unnestName = unnest === undefined ? undefined : (unnest.alias?.text ?? 'unnest');
  const schema = schemaOf(parts.placed, unnestName);
  return {
    project: compileProjection(parts, binder.scope.width),
    ...(unnestName === undefined ? {} : { expand: expander(unnestName) }),
    ...(schema === undefined ? {} : { schema }),
    text: JSON.stringify(
      parts.placed.map((part) => [
        part.kind === 'field' ? part.name : [...part.except],
        binder.drafts.digest(part.bound),
      ]),
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

/** What an alias stands for is evaluated before the columns that name it. */
function bindParts(binder: Binder, items: readonly SelectItem[], clause: Clause): Parts {
  const bound = new Map<number, readonly Part[]>();
  const open = new Set<number>();
  const bindItem = (slot: number): readonly Part[] => {
    const item = items[slot];
    const known = bound.get(slot);
    if (item === undefined || known !== undefined) return known ?? [];
    open.add(slot);
    const parts = item.kind === 'all' ? bindAll(binder, item, clause) : [bindField(binder, item, slot, clause)];
    open.delete(slot);
    bound.set(slot, parts);
    const [first] = parts;
    if (item.kind === 'field' && first !== undefined)
      binder.drafts.outputDigests[slot] = binder.drafts.digest(first.bound);
    return parts;
  };
  binder.outputs = (alias: string, span: Span) => {
    const slot = binder.scope.aliases.get(alias)?.slot ?? -1;
    if (open.has(slot)) throw binder.circle(alias, span);
    const [part] = bindItem(slot);
    return part === undefined ? undefined : { slot, type: part.bound.type };
  };
  const placed = items.flatMap((_, slot) => bindItem(slot));
  binder.outputs = undefined;
  return { evaluated: [...bound.values()].flat(), placed };
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
  return { kind: 'spread', bound, except: new Set() };
}

/** `*` of sources that are all declared is their columns; of others it is whatever the row has. REPLACE stands above EXCEPT. */
function bindAll(binder: Binder, item: AllItem, clause: Clause): Part[] {
  const replaced = new Set(item.replace.map(({ alias }) => alias.text));
  const except = new Set([...item.except.map(({ text }) => text), ...replaced]);
  const replacements = item.replace.map(({ expression, alias }): Part => {
    const bound = binder.bind(expression, { ...clause, prefersAliases: false });
    return { kind: 'field', name: alias.text, bound, isInvisible: false };
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
        return [{ kind: 'field', name: field.name, bound, isInvisible: false }];
      }),
    );
    return [...columns, ...replacements];
  }
  const bound =
    item.source === undefined
      ? binder.row(item.span, clause)
      : oneRow(binder, sourceOf(binder, item.source).index, item.span, clause);
  return [{ kind: 'spread', bound, except }, ...replacements];
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
function compileProjection({ evaluated, placed }: Parts, width: number): Projection['project'] {
  const [only] = placed;
  if (placed.length === 1 && only?.kind === 'spread' && only.except.size === 0 && only.bound.kind === 'row') {
    return wholeRow(width, only.bound.source);
  }
  const outputs: Value[] = [];
  const options = { width, outputs };
  const fields = placed.flatMap((part) => (part.kind === 'field' && !part.isInvisible ? [part] : []));
  if (fields.length === placed.length && !placed.some(({ bound }) => hasOutput(bound))) {
    return flatProjection(fields.map(({ name, bound }) => [name, compile(bound, options)]));
  }
  const steps = evaluated.map((part) => ({
    part,
    place: placed.indexOf(part),
    evaluate: compile(part.bound, options),
  }));
  const values: Value[] = [];
  return (input, context) => {
    for (const { part, place, evaluate } of steps) {
      const value = evaluate(input, context);
      values[place] = value;
      if (part.kind === 'field' && part.slot !== undefined) outputs[part.slot] = value;
    }
    return rowOf(placed, values);
  };
}

function hasOutput(bound: Bound): boolean {
  return [...partsOf(bound)].some(({ kind }) => kind === 'output');
}

function rowOf(parts: readonly Part[], values: readonly Value[]): Row {
  const row: Record<string, Value> = {};
  for (const [place, part] of parts.entries()) {
    const value = values[place];
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

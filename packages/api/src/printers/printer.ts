/** What a printer of one kind is made of: named columns, and for each a reader of its cell. */
import { at, type JsonObject, numberAt, objectAt, objectsAt, textAt } from '../json.ts';
import { formatLabelSelector, selectorFromObject } from '../selectors/index.ts';
import { ageOf } from './duration.ts';

/** meta.k8s.io/v1 TableColumnDefinition. */
export interface Column {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  /** 0 is always shown, more only in the wide form. */
  readonly priority: number;
}

export type Cell = string | number | boolean | null;

export interface Printer {
  readonly columns: readonly Column[];
  cells(object: JsonObject, now: number): Cell[];
}

export type CellReader = (object: JsonObject, now: number) => Cell;

export interface ColumnSpec {
  readonly column: Column;
  readonly read: CellReader;
}

export function printer(...specs: readonly ColumnSpec[]): Printer {
  return {
    columns: specs.map(({ column }) => column),
    cells: (object, now) => specs.map(({ read }) => read(object, now)),
  };
}

export function column(name: string, read: CellReader, type = 'string'): ColumnSpec {
  return { column: describe(name, type, 0), read };
}

export function integer(name: string, read: CellReader): ColumnSpec {
  return column(name, read, 'integer');
}

/** A column of the wide form. */
export function wide(name: string, read: CellReader, type = 'string'): ColumnSpec {
  return { column: describe(name, type, 1), read };
}

export function describe(name: string, type: string, priority: number): Column {
  return { name, type, format: '', description: `${name} of the object`, priority };
}

export const NAME: ColumnSpec = {
  column: { name: 'Name', type: 'string', format: 'name', description: 'Name of the object', priority: 0 },
  read: (object) => textAt(object, 'metadata', 'name'),
};

export const AGE: ColumnSpec = column('Age', (object, now) => ageOf(at(object, 'metadata', 'creationTimestamp'), now));

export const CREATED_AT: ColumnSpec = {
  column: { ...describe('Created At', 'date', 0), format: '' },
  read: (object) => textAt(object, 'metadata', 'creationTimestamp'),
};

/** The text at a path, or what stands for nothing. */
export function text(path: string, otherwise = ''): CellReader {
  const steps = path.split('.');
  return (object) => {
    const value = at(object, ...steps);
    return value === undefined || value === null || value === '' ? otherwise : String(value);
  };
}

export function number(path: string): CellReader {
  const steps = path.split('.');
  return (object) => numberAt(object, ...steps);
}

/** How many there are in the list or the map at a path. */
export function size(...paths: readonly string[]): CellReader {
  return (object) =>
    paths.reduce((sum, path) => {
      const value = at(object, ...path.split('.'));
      return sum + (Array.isArray(value) ? value.length : Object.keys(objectAt(object, ...path.split('.'))).length);
    }, 0);
}

export function joinOrNone(values: readonly string[], separator = ','): string {
  return values.length === 0 ? '<none>' : values.join(separator);
}

/** Names and images of the containers in a template, and the selector: the wide columns of every workload. */
export function workloadColumns(template = 'spec.template.spec'): readonly ColumnSpec[] {
  return [containerNames(template), containerImages(template), wide('Selector', selectorText('spec.selector'))];
}

export function containerNames(template = 'spec.template.spec'): ColumnSpec {
  return wide('Containers', (object) => containers(object, template, 'name'));
}

export function containerImages(template = 'spec.template.spec'): ColumnSpec {
  return wide('Images', (object) => containers(object, template, 'image'));
}

function containers(object: JsonObject, template: string, field: string): string {
  return objectsAt(object, ...template.split('.'), 'containers')
    .map((item) => textAt(item, field))
    .join(',');
}

/** A selector's text; `<none>` when it selects everything, `<error>` when it is none. */
export function selectorText(path: string): CellReader {
  const steps = path.split('.');
  return (object) => {
    const selector = at(object, ...steps);
    if (selector === undefined) return '<none>';
    try {
      return formatLabelSelector(selectorFromObject(selector)) || '<none>';
    } catch {
      return '<error>';
    }
  };
}

/** `a=b,c=d` of a plain map of labels. */
export function labelsText(path: string): CellReader {
  const steps = path.split('.');
  return (object) =>
    joinOrNone(
      Object.entries(objectAt(object, ...steps))
        .map(([key, value]) => `${key}=${String(value)}`)
        .sort(),
    );
}

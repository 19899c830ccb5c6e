/** Custom kinds: the columns their definition names, read by JSONPath. */
import { isObject } from '../json.ts';
import { compileJsonPath } from '../jsonpath.ts';
import type { PrinterColumn } from '../resource.ts';
import { ageOf } from './duration.ts';
import { type Cell, type ColumnSpec, NAME, type Printer, printer } from './printer.ts';

const compiled = new WeakMap<readonly PrinterColumn[], Printer>();

export function customPrinter(columns: readonly PrinterColumn[]): Printer {
  let found = compiled.get(columns);
  if (found === undefined) {
    found = printer(NAME, ...columns.map(toColumn));
    compiled.set(columns, found);
  }
  return found;
}

function toColumn({ name, type, format = '', description = '', priority = 0, jsonPath }: PrinterColumn): ColumnSpec {
  const read = compileJsonPath(jsonPath);
  return {
    column: { name, type, format, description: description || `Custom resource column at ${jsonPath}`, priority },
    read: (object, now) => toCell(type, read?.(object)[0], now),
  };
}

function toCell(type: string, value: unknown, now: number): Cell {
  if (value === undefined || value === null) return null;
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      return ageOf(value, now);
    default:
      return isObject(value) || Array.isArray(value) ? JSON.stringify(value) : String(value);
  }
}

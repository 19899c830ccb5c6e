/** Bytes of messages, answers and files as the objects that rows are made of. */
import type { Format, StreamSpec } from '../kinds/stream.ts';
import { isTooDeep, MAX_JSON_DEPTH, RowError } from '../sql/index.ts';

/** One message may hold several rows. Throws a RowError. */
export type Decode = (text: string) => readonly unknown[];

/** A message that is longer is not looked at. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

export function decoder({
  format = 'Json',
  delimiter = ',',
  schema,
}: Pick<StreamSpec, 'format' | 'delimiter' | 'schema'>): Decode {
  switch (format) {
    case 'Json':
      return decodeJson;
    case 'Text':
      return (text) => [{ text }];
    case 'Csv': {
      const names = schema?.map(({ name }) => name);
      return (text) => decodeCsv(text, delimiter, names);
    }
  }
}

/** Of a file: lines, each decoded by itself; the first line of CSV says what the fields are called. */
export function lineDecoder(format: Format, delimiter: string): (line: string) => readonly unknown[] {
  if (format !== 'Csv') return format === 'Json' ? decodeJson : (text) => [{ text }];
  let names: readonly string[] | undefined;
  return (line) => {
    const fields = splitCsv(line, delimiter);
    if (names === undefined) {
      names = fields.map((name) => name.trim());
      return [];
    }
    return [named(names, fields)];
  };
}

function decodeJson(text: string): readonly unknown[] {
  if (isTooDeep(text)) throw new RowError(`the message has more than ${MAX_JSON_DEPTH} levels of arrays and objects`);
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [value];
  } catch (cause) {
    throw new RowError('the message is no JSON', { cause });
  }
}

/** Without a schema, the first line names the fields. */
function decodeCsv(text: string, delimiter: string, names: readonly string[] | undefined): readonly unknown[] {
  const lines = text.split(/\r?\n/).filter((line) => line !== '');
  const rows = lines.map((line) => splitCsv(line, delimiter));
  const header = names ?? rows.shift() ?? [];
  return rows.map((fields) => named(header, fields));
}

function named(names: readonly string[], fields: readonly string[]): object {
  const row: Record<string, unknown> = {};
  for (const [at, name] of names.entries()) {
    const field = fields[at];
    if (field !== undefined && field !== '') row[name] = read(field);
  }
  return row;
}

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/** Numbers and truth values as such; what a schema wants otherwise it makes of them. */
function read(field: string): unknown {
  if (NUMBER.test(field)) {
    const number = Number(field);
    return Number.isInteger(number) && !Number.isSafeInteger(number) ? field : number;
  }
  if (field === 'true') return true;
  return field === 'false' ? false : field;
}

/** The fields of one line; quoted as RFC 4180 has it, but for line breaks within quotes. */
export function splitCsv(line: string, delimiter: string): readonly string[] {
  if (!line.includes('"')) return line.split(delimiter);
  const fields: string[] = [];
  let field = '';
  let isQuoted = false;
  for (let at = 0; at < line.length; at++) {
    const char = line[at] ?? '';
    if (isQuoted && char === '"' && line[at + 1] === '"') {
      field += '"';
      at++;
    } else if (char === '"') isQuoted = !isQuoted;
    else if (char === delimiter && !isQuoted) {
      fields.push(field);
      field = '';
    } else field += char;
  }
  return [...fields, field];
}

/** Field selectors: `status.phase=Running,spec.nodeName!=`, compared as text with the value at a dotted path. */
import { at, isObject } from '../json.ts';
import type { ResourceRow } from '../resource.ts';
import { StatusError } from '../status.ts';

export interface FieldRequirement {
  readonly path: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

export interface FieldSelector {
  readonly requirements: readonly FieldRequirement[];
  readonly isEmpty: boolean;
  matches(object: unknown): boolean;
  /** The value that `path` must have, when the selector demands exactly one: lets a server read one object instead of a list. */
  exact(path: string): string | undefined;
}

/** Absent booleans and counters read as their zero value, as they do in a typed object. */
const ABSENT_VALUES: Readonly<Record<string, string>> = {
  'spec.unschedulable': 'false',
  'spec.hostNetwork': 'false',
  'status.successful': '0',
  'status.replicas': '0',
};

const COMMON_PATHS = ['metadata.name', 'metadata.namespace'];

/** Parses `a=b,c!=d`; `\,`, `\=` and `\\` stand for themselves. Throws 400 BadRequest. */
export function parseFieldSelector(text: string): FieldSelector {
  const requirements = splitTerms(text)
    .filter((term) => term !== '')
    .map((term) => parseTerm(text, term));
  return compileFields(requirements);
}

/** Throws 400 when the kind does not know a field: an unknown field would silently select nothing. */
export function checkFieldSelector(
  row: Pick<ResourceRow, 'gvr' | 'selectableFields'>,
  selector: FieldSelector,
  text: { readonly label?: string; readonly field?: string } = {},
): void {
  for (const { path } of selector.requirements) {
    if (COMMON_PATHS.includes(path) || row.selectableFields.includes(path)) continue;
    const { group, version, resource } = row.gvr;
    throw new StatusError(
      400,
      'BadRequest',
      `Unable to find "${group}/${version}, Resource=${resource}" that match label selector "${text.label ?? ''}", field selector "${text.field ?? formatFieldSelector(selector)}": field label not supported: ${path}`,
    );
  }
}

export function formatFieldSelector(selector: FieldSelector): string {
  return selector.requirements.map(({ path, operator, value }) => `${path}${operator}${escapeValue(value)}`).join(',');
}

function compileFields(requirements: readonly FieldRequirement[]): FieldSelector {
  const predicates = requirements.map(({ path, operator, value }) => {
    const read = fieldReader(path);
    return operator === '=' ? (object: unknown) => read(object) === value : (object: unknown) => read(object) !== value;
  });
  return {
    requirements,
    isEmpty: requirements.length === 0,
    matches: (object) => predicates.every((predicate) => predicate(object)),
    exact: (path) => requirements.find((term) => term.path === path && term.operator === '=')?.value,
  };
}

/** A reader of one dotted path that gives the text a field selector compares. */
export function fieldReader(path: string): (object: unknown) => string {
  const absent = ABSENT_VALUES[path] ?? '';
  // The field selector of events says `source` and means the component in it.
  const parts = path === 'source' ? ['source', 'component'] : path.split('.');
  return (object) => {
    const value = at(object, ...parts);
    return value === undefined || value === null || isObject(value) || Array.isArray(value) ? absent : String(value);
  };
}

function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    if (text[index] === '\\') index++;
    else if (text[index] === ',') {
      terms.push(text.slice(start, index));
      start = index + 1;
    }
  }
  terms.push(text.slice(start));
  return terms;
}

function parseTerm(whole: string, term: string): FieldRequirement {
  for (let index = 0; index < term.length; index++) {
    if (term[index] === '\\') {
      index++;
      continue;
    }
    const operator = ['!=', '==', '='].find((candidate) => term.startsWith(candidate, index));
    if (operator === undefined) continue;
    const value = unescapeValue(term.slice(index + operator.length));
    return { path: term.slice(0, index), operator: operator === '!=' ? '!=' : '=', value };
  }
  throw new StatusError(400, 'BadRequest', `invalid selector: '${whole}'; can't understand '${term}'`);
}

function unescapeValue(text: string): string {
  let value = '';
  for (let index = 0; index < text.length; index++) {
    const character = text[index] ?? '';
    if (character !== '\\') {
      if (character === '=')
        throw new StatusError(400, 'BadRequest', `invalid field selector: unescaped character in value: ${character}`);
      value += character;
      continue;
    }
    const escaped = text[++index] ?? '';
    if (!['\\', ',', '='].includes(escaped)) {
      throw new StatusError(400, 'BadRequest', `invalid field selector: invalid escape sequence: \\${escaped}`);
    }
    value += escaped;
  }
  return value;
}

function escapeValue(value: string): string {
  return value.replace(/[\\,=]/g, (character) => `\\${character}`);
}

/**
 * One field as the fact files write it: words between spaces, `JSON-NAME TYPE NUMBER FLAG…`.
 * A name of `~` is a struct that JSON inlines, a number of `-` a field that protobuf does not carry.
 */

export type TypeExpression =
  | { readonly kind: 'list'; readonly of: TypeExpression }
  | { readonly kind: 'map'; readonly of: TypeExpression }
  | { readonly kind: 'bytes' }
  | { readonly kind: 'name'; readonly name: string };

export interface FieldLine {
  /** Undefined for an inlined struct. */
  readonly json?: string;
  readonly type: TypeExpression;
  readonly number?: number;
  readonly flags: ReadonlySet<string>;
}

export function parseFieldLine(line: string): FieldLine {
  const [json = '', type = '', number = '-', ...flags] = line.split(' ');
  return {
    ...(json === '~' ? {} : { json }),
    type: parseTypeExpression(type),
    ...(number === '-' ? {} : { number: Number.parseInt(number, 10) }),
    flags: new Set(flags),
  };
}

/** `[]core.v1.Container`, `map[string]string`, `[]byte`. */
export function parseTypeExpression(text: string): TypeExpression {
  if (text === '[]byte') return { kind: 'bytes' };
  if (text.startsWith('[]')) return { kind: 'list', of: parseTypeExpression(text.slice(2)) };
  if (text.startsWith('map[')) return { kind: 'map', of: parseTypeExpression(text.slice(text.indexOf(']') + 1)) };
  return { kind: 'name', name: text };
}

export function formatTypeExpression(type: TypeExpression): string {
  switch (type.kind) {
    case 'bytes':
      return '[]byte';
    case 'list':
      return `[]${formatTypeExpression(type.of)}`;
    case 'map':
      return `map[]${formatTypeExpression(type.of)}`;
    case 'name':
      return type.name;
  }
}

/** The one name at the bottom of lists and maps; undefined for bytes. */
export function elementName(type: TypeExpression): string | undefined {
  if (type.kind === 'name') return type.name;
  return type.kind === 'bytes' ? undefined : elementName(type.of);
}

/** The values of a repeatable flag: `listMapKey=a listMapKey=b`. */
export function flagValues(flags: ReadonlySet<string>, name: string): string[] {
  return [...flags].filter((flag) => flag.startsWith(`${name}=`)).map((flag) => flag.slice(name.length + 1));
}

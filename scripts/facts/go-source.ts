/** Reads the type declarations of one Go source file: structs with their tags and markers, named types, string constants. */

export interface GoField {
  /** Empty for an embedded struct that JSON inlines. */
  readonly json: string;
  /** As written, without the pointer: `[]Container`, `metav1.Time`. */
  readonly type: string;
  readonly pointer: boolean;
  readonly omitEmpty: boolean;
  readonly inline: boolean;
  /** The number and wire type of protobuf; absent for fields that protobuf does not carry. */
  readonly protobuf?: { readonly number: number; readonly wire: string };
  /** Markers such as `listType=map`, in the order of the source, struct tags included. */
  readonly markers: readonly string[];
}

export interface GoStruct {
  readonly kind: 'struct';
  readonly name: string;
  readonly markers: readonly string[];
  readonly fields: readonly GoField[];
}

/** `type Phase string`, `type ResourceList map[…]…` and aliases. */
export interface GoNamed {
  readonly kind: 'named';
  readonly name: string;
  readonly markers: readonly string[];
  readonly underlying: string;
}

export interface GoConstant {
  readonly name: string;
  readonly type: string;
  readonly value: string;
}

export interface GoFile {
  /** Local name of an import to its path. */
  readonly imports: ReadonlyMap<string, string>;
  readonly types: readonly (GoStruct | GoNamed)[];
  readonly constants: readonly GoConstant[];
}

const STRUCT = /^type (\w+) struct ?\{(\})?$/;
const NAMED = /^type (\w+) =? ?([\w.[\]*]+)$/;
const IMPORT = /^\s*(?:import )?(?:(\w+) )?"([^"]+)"$/;
const CONSTANT = /^\s*(?:const )?(\w+)\s+([\w.]+)\s*=\s*"([^"]*)"$/;
const FIELD = /^(?:(\w+)\s+)?(\*?)([\w.[\]*]+)\s+`([^`]*)`$/;
const MARKER = /^\/\/ ?\+(\S.*)$/;

export function parseGo(source: string): GoFile {
  const lines = source.replace(/\/\*[\s\S]*?\*\//g, '').split('\n');
  const imports = new Map<string, string>();
  const types: (GoStruct | GoNamed)[] = [];
  const constants: GoConstant[] = [];
  let markers: string[] = [];
  for (let index = 0; index < lines.length; index++) {
    const line = withoutTrailingComment(lines[index] ?? '');
    const marker = MARKER.exec(line.trim());
    if (marker?.[1] !== undefined) {
      markers.push(marker[1]);
      continue;
    }
    if (line.trim().startsWith('//')) continue;
    const struct = STRUCT.exec(line);
    if (struct?.[1] !== undefined) {
      const [fields, end] = struct[2] === undefined ? parseFields(lines, index + 1) : [[], index];
      types.push({ kind: 'struct', name: struct[1], markers, fields });
      index = end;
    } else addSimple(line, { imports, types, constants, markers });
    // A blank line separates a marker from what follows only when no comment stands between; Go's tools accept both.
    if (line.trim() !== '') markers = [];
  }
  return { imports, types, constants };
}

function addSimple(
  line: string,
  into: {
    readonly imports: Map<string, string>;
    readonly types: (GoStruct | GoNamed)[];
    readonly constants: GoConstant[];
    readonly markers: readonly string[];
  },
): void {
  const named = NAMED.exec(line);
  if (named?.[1] !== undefined && named[2] !== undefined) {
    into.types.push({ kind: 'named', name: named[1], markers: into.markers, underlying: named[2] });
    return;
  }
  const constant = CONSTANT.exec(line);
  if (constant?.[1] !== undefined) {
    into.constants.push({ name: constant[1], type: constant[2] ?? '', value: constant[3] ?? '' });
    return;
  }
  const imported = IMPORT.exec(line);
  if (imported?.[2] !== undefined) {
    const path = imported[2];
    into.imports.set(imported[1] ?? path.slice(path.lastIndexOf('/') + 1), path);
  }
}

function parseFields(lines: readonly string[], start: number): [GoField[], number] {
  const fields: GoField[] = [];
  let markers: string[] = [];
  for (let index = start; index < lines.length; index++) {
    const line = withoutTrailingComment(lines[index] ?? '').trim();
    if (line === '}') return [fields, index];
    const marker = MARKER.exec(line);
    if (marker?.[1] !== undefined) markers.push(marker[1]);
    if (line === '' || line.startsWith('//')) continue;
    const field = parseField(line, markers);
    if (field !== undefined) fields.push(field);
    markers = [];
  }
  throw new Error('a struct is not closed');
}

/** Undefined for fields that JSON does not carry. */
function parseField(line: string, markers: readonly string[]): GoField | undefined {
  const match = FIELD.exec(line);
  if (match === null) return undefined;
  const tags = parseTags(match[4] ?? '');
  const [json = '', ...options] = (tags.get('json') ?? '').split(',');
  if (json === '-') return undefined;
  const protobuf = parseProtobufTag(tags.get('protobuf'));
  return {
    json,
    type: match[3] ?? '',
    pointer: match[2] === '*',
    omitEmpty: options.includes('omitempty') || options.includes('omitzero'),
    inline: options.includes('inline'),
    ...(protobuf === undefined ? {} : { protobuf }),
    markers: [...markers, ...patchMarkers(tags)],
  };
}

function patchMarkers(tags: ReadonlyMap<string, string>): string[] {
  return ['patchStrategy', 'patchMergeKey'].flatMap((name) => (tags.has(name) ? [`${name}=${tags.get(name)}`] : []));
}

function parseTags(text: string): Map<string, string> {
  return new Map([...text.matchAll(/(\w+):"([^"]*)"/g)].map((match) => [match[1] ?? '', match[2] ?? '']));
}

function parseProtobufTag(tag: string | undefined): GoField['protobuf'] {
  const [wire, number] = tag?.split(',') ?? [];
  return wire === undefined || number === undefined || wire === '-' ? undefined : { number: Number(number), wire };
}

function withoutTrailingComment(line: string): string {
  const tag = line.lastIndexOf('`');
  const comment = line.indexOf(' //', Math.max(0, tag));
  return comment > 0 && !line.trim().startsWith('//') ? line.slice(0, comment).trimEnd() : line.trimEnd();
}

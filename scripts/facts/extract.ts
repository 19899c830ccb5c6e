/** From the Go packages of Kubernetes to the raw facts that are committed: one line of words a field, nothing of their prose. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Facts, PACKAGES } from './facts.ts';
import { type GoField, type GoFile, type GoNamed, type GoStruct, parseGo } from './go-source.ts';

/** Packages of which we know the few types by heart: scalars with a JSON form of their own. */
const LEAF_PACKAGES: Readonly<Record<string, string>> = {
  'k8s.io/apimachinery/pkg/api/resource': 'resource',
  'k8s.io/apimachinery/pkg/util/intstr': 'intstr',
  'k8s.io/apimachinery/pkg/runtime': 'runtime',
  'k8s.io/apimachinery/pkg/types': 'types',
};

/** What Kubernetes writes by hand in Go, so that no struct tag tells its JSON form; the walker knows each by name. */
const WELL_KNOWN = new Set([
  'meta.v1.Time',
  'meta.v1.MicroTime',
  'meta.v1.Duration',
  'meta.v1.FieldsV1',
  'apiextensions.v1.JSON',
  'apiextensions.v1.JSONSchemaPropsOrArray',
  'apiextensions.v1.JSONSchemaPropsOrBool',
  'apiextensions.v1.JSONSchemaPropsOrStringArray',
]);

/** Markers that say something about the wire; all others are for Kubernetes' own code. */
const KEPT_MARKERS =
  /^(optional|required|nullable|default|listType|listMapKey|mapType|structType|patchStrategy|patchMergeKey)(=|$)/;

interface Scope {
  readonly pkg: string;
  readonly imports: ReadonlyMap<string, string>;
  readonly constants: ReadonlyMap<string, string>;
}

const BUILT_IN = /^(string|bool|byte|int32|int64|int|uint8|uint32|uint64|float64)$/;

export function extractFacts(goRoot: string, sources: Readonly<Record<string, string>>): Facts {
  const structs: Record<string, string[]> = {};
  const structMarkers: Record<string, string> = {};
  const named: Record<string, string[]> = {};
  for (const [pkg, path] of Object.entries(PACKAGES)) {
    const files = readPackage(join(goRoot, path));
    const constants = new Map(files.flatMap((file) => file.constants.map((each) => [each.name, each.value] as const)));
    for (const file of files) {
      const scope = { pkg, imports: file.imports, constants };
      for (const type of file.types.filter((each) => !WELL_KNOWN.has(`${pkg}.${each.name}`))) {
        const key = `${pkg}.${type.name}`;
        if (type.kind === 'named') named[key] = describeNamed(type, files, scope);
        else {
          structs[key] = describeStruct(type, scope);
          const kept = type.markers.filter((each) => each.startsWith('structType='));
          if (kept.length > 0) structMarkers[key] = kept.join(' ');
        }
      }
    }
  }
  return { sources, structs: sorted(structs), structMarkers: sorted(structMarkers), named: sorted(named) };
}

function readPackage(folder: string): GoFile[] {
  return readdirSync(folder)
    .filter((name) => /^types[a-z_]*\.go$/.test(name) && !/_test|swagger_doc/.test(name))
    .sort()
    .map((name) => parseGo(readFileSync(join(folder, name), 'utf8')));
}

function describeStruct(struct: GoStruct, scope: Scope): string[] {
  return struct.fields.map((field) => describeField(field, scope));
}

function describeField(field: GoField, scope: Scope): string {
  const { protobuf } = field;
  const flags = [
    field.pointer ? 'pointer' : '',
    field.omitEmpty ? 'omitempty' : '',
    ...new Set(field.markers.filter((each) => KEPT_MARKERS.test(each)).map((each) => resolveDefault(each, scope))),
  ];
  const words = [
    field.json === '' ? '~' : field.json,
    qualify(field.type, scope),
    protobuf === undefined ? '-' : `${protobuf.number}:${protobuf.wire}`,
    ...flags.filter((flag) => flag !== ''),
  ];
  if (words.some((word) => /\s/.test(word))) throw new Error(`a word of ${words[0]} holds a space`);
  return words.join(' ');
}

/** `default=ref(Constant)` names a constant; the fact is its value. */
function resolveDefault(marker: string, scope: Scope): string {
  const name = /^default=ref\((\w+)\)$/.exec(marker)?.[1];
  return name === undefined ? marker : `default=${JSON.stringify(scope.constants.get(name))}`;
}

function describeNamed(type: GoNamed, files: readonly GoFile[], scope: Scope): string[] {
  const underlying = qualify(type.underlying, scope);
  if (!type.markers.includes('enum')) return [underlying];
  const values = files.flatMap((file) => file.constants.filter((each) => each.type === type.name));
  return [underlying, ...new Set(values.map((each) => each.value).sort())];
}

/** Turns each name inside `[]*map[K]V` into one of ours: `metav1.Time` becomes `meta.v1.Time`. */
function qualify(type: string, scope: Scope): string {
  return type.replace(/(?:(\w+)\.)?(\w+)/g, (whole, alias: string | undefined, name: string) => {
    if (alias === undefined) return name === 'map' || BUILT_IN.test(name) ? whole : `${scope.pkg}.${name}`;
    return `${packageOf(scope.imports.get(alias) ?? alias)}.${name}`;
  });
}

function packageOf(path: string): string {
  const own = Object.entries(PACKAGES).find(([, each]) => each === path)?.[0];
  return own ?? LEAF_PACKAGES[path] ?? path;
}

function sorted<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

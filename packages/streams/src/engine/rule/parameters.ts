/** Parameters of an object: `{{name}}` in its texts, with a value of its own at single nodes. */
import type { Parameterised, Parameters } from '../../kinds/shared.ts';

/** A parameter that nobody has given a value; the message is a sentence about it. */
export class MissingParameter extends Error {
  override readonly name = 'MissingParameter';
}

const PLACE = /\{\{\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*\}\}/g;

function parametersAt({ parameters, nodeParameters }: Parameterised, node: string | undefined): Parameters {
  const own = nodeParameters?.find((each) => each.node === node)?.values;
  return { ...parameters, ...own };
}

/** The same with all parameters filled in. Throws a MissingParameter. */
export function filled<Spec extends Parameterised>(spec: Spec, node: string | undefined): Spec {
  const { parameters, nodeParameters, ...rest } = spec;
  const values = parametersAt(spec, node);
  return {
    ...(fill(rest, values) as typeof rest),
    ...(parameters && { parameters }),
    ...(nodeParameters && { nodeParameters }),
  } as Spec;
}

/** The object as it is at a node; undefined: in the cloud. Throws a MissingParameter. */
export function objectAt<T extends { readonly spec: Parameterised }>(object: T, node: string | undefined): T {
  return { ...object, spec: filled(object.spec, node) };
}

function fill(value: unknown, values: Parameters): unknown {
  if (typeof value === 'string') return value.includes('{{') ? fillText(value, values) : value;
  if (Array.isArray(value)) return value.map((item) => fill(item, values));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, fill(item, values)]));
}

function fillText(text: string, values: Parameters): string {
  return text.replaceAll(PLACE, (_, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value === undefined) throw new MissingParameter(`the parameter ${name} has no value`);
    return value;
  });
}

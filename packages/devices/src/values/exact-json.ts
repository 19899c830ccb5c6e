/** JSON whose integers keep every digit: those that a number cannot hold are bigints. Pure. */

/** Of this engine, and not yet of the types. */
const { rawJSON: rawJson } = JSON as unknown as { readonly rawJSON: (text: string) => unknown };
const parseWith = JSON.parse as (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown;

/** So many digits has no integer that a number holds; without one of them there is nothing to look for. */
const LONG_NUMBER = /\d{16}/;
/** No property holds longer ones. */
const INTEGER = /^-?\d{16,20}$/;

/** Throws a SyntaxError. */
export function parseExactJson(text: string): unknown {
  return LONG_NUMBER.test(text) ? parseWith(text, exactly) : JSON.parse(text);
}

function exactly(_key: string, value: unknown, { source = '' }: { readonly source?: string }): unknown {
  return typeof value === 'number' && !Number.isSafeInteger(value) && INTEGER.test(source) ? BigInt(source) : value;
}

/** Bytes are base64. */
export function exactJsonText(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => {
    if (typeof each === 'bigint') return rawJson(each.toString());
    return each instanceof Uint8Array ? Buffer.from(each).toString('base64') : each;
  });
}

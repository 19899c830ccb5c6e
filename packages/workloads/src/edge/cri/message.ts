/** Protobuf messages described by plain objects of fields: the same description types, encodes and decodes them. Pure. */
import { Reader, Writer } from '@skerry/api/wire';

/** One field: its number, how it goes into a message and comes out of it. `Out` is never undefined but for inner messages. */
export interface Field<In, Out = In> {
  readonly number: number;
  write(writer: Writer, value: In): void;
  /** `before` is what was read of the same field already. */
  read(reader: Reader, before: Out): Out;
  initial(): Out;
}

/** What every field has, whatever its type. */
interface AnyField {
  readonly number: number;
  write(writer: Writer, value: never): void;
  read(reader: Reader, before: never): unknown;
  initial(): unknown;
}

export type Fields = Readonly<Record<string, AnyField>>;

/** A message to be sent: what is left out has its default. */
export type Given<F> = { readonly [K in keyof F]?: F[K] extends Field<infer In, infer _Out> ? In : never };
/** A message that was received. */
export type Decoded<F> = { readonly [K in keyof F]: F[K] extends Field<infer _In, infer Out> ? Out : never };

export function encode<F extends Fields>(fields: F, value: Given<F>): Uint8Array {
  const writer = new Writer();
  for (const [name, field] of entriesOf(fields)) {
    const own = value[name];
    if (own !== undefined) field.write(writer, own as never);
  }
  return writer.finish();
}

export function decode<F extends Fields>(fields: F, bytes: Buffer): Decoded<F> {
  return decodeFrom(fields, new Reader(bytes, 0, bytes.length));
}

function decodeFrom<F extends Fields>(fields: F, reader: Reader): Decoded<F> {
  const entries = entriesOf(fields);
  const value: Record<string, unknown> = {};
  for (const [name, field] of entries) value[name] = field.initial();
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    const found = entries.find(([, { number }]) => number === tag >>> 3);
    if (found === undefined) reader.skip(tag);
    else value[found[0]] = found[1].read(reader, value[found[0]] as never);
  }
  return value as Decoded<F>;
}

type Entries = readonly (readonly [name: string, field: AnyField])[];
const knownEntries = new WeakMap<Fields, Entries>();

/** Descriptions never change: each is taken apart once. */
function entriesOf(fields: Fields): Entries {
  const known = knownEntries.get(fields);
  if (known !== undefined) return known;
  const entries = Object.entries(fields);
  knownEntries.set(fields, entries);
  return entries;
}

export function text(number: number): Field<string> {
  return {
    number,
    write: (writer, value) => writer.stringField(number, value),
    read: (reader) => reader.string(),
    initial: () => '',
  };
}

export function bytes(number: number): Field<Uint8Array, Buffer> {
  return {
    number,
    write: (writer, value) => writer.bytesField(number, value),
    read: (reader) => reader.bytes(),
    initial: () => Buffer.alloc(0),
  };
}

/** Integers of all sizes, and enums. */
export function whole(number: number): Field<number> {
  return {
    number,
    write: (writer, value) => writer.varintField(number, value),
    read: (reader) => reader.int64(),
    initial: () => 0,
  };
}

export function flag(number: number): Field<boolean> {
  return {
    number,
    write: (writer, value) => writer.varintField(number, value ? 1 : 0),
    read: (reader) => reader.bool(),
    initial: () => false,
  };
}

export function texts(number: number): Field<readonly string[]> {
  return {
    number,
    write: (writer, values) => {
      for (const value of values) writer.stringField(number, value);
    },
    read: (reader, before) => [...before, reader.string()],
    initial: () => [],
  };
}

/** Written one by one, which every reader takes; never read by us. */
export function wholes(number: number): Field<readonly number[]> {
  return {
    number,
    write: (writer, values) => {
      for (const value of values) writer.varintField(number, value);
    },
    read: (reader, before) => [...before, reader.int64()],
    initial: () => [],
  };
}

export function message<F extends Fields>(number: number, fields: F): Field<Given<F>, Decoded<F> | undefined> {
  return {
    number,
    write: (writer, value) => writer.bytesField(number, encode(fields, value)),
    read: (reader) => decodeFrom(fields, reader.message()),
    initial: () => undefined,
  };
}

export function messages<F extends Fields>(
  number: number,
  fields: F,
): Field<readonly Given<F>[], readonly Decoded<F>[]> {
  return {
    number,
    write: (writer, values) => {
      for (const value of values) writer.bytesField(number, encode(fields, value));
    },
    read: (reader, before) => [...before, decodeFrom(fields, reader.message())],
    initial: () => [],
  };
}

const ENTRY = { key: text(1), value: text(2) };

export function map(number: number): Field<Readonly<Record<string, string>>> {
  return {
    number,
    write: (writer, values) => {
      for (const [key, value] of Object.entries(values)) writer.bytesField(number, encode(ENTRY, { key, value }));
    },
    read: (reader, before) => {
      const { key, value } = decodeFrom(ENTRY, reader.message());
      return { ...before, [key]: value };
    },
    initial: () => ({}),
  };
}

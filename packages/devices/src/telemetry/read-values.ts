/** Live values from whichever nodes have them: the same at the cloud and at a node's own API, which knows one node. */
import { type KubeObject, StatusError, type WatchEvent } from '@skerry/api';
import type { Client } from '@skerry/kube/client';
import type { Device } from '../resources/device.ts';
import { DEVICES } from '../resources/group.ts';
import { DEVICE_VALUES_ROW, DEVICE_VALUES_SCHEMA, type DeviceValues } from './device-values.ts';

/** Opens a GET of what a node serves itself, as the API server's NodeDialer does. Rejects with a StatusError. */
export interface NodeGetDialer {
  open(
    node: string,
    request: { readonly kind: 'get'; readonly path: string },
    signal: AbortSignal,
  ): Promise<{ readonly incoming: AsyncIterable<Uint8Array>; abort(reason: string): void }>;
}

export interface TelemetryOptions {
  /** Of the API that shows which devices there are. */
  readonly client: Client;
  readonly dialer: NodeGetDialer;
}

/** What is asked, as a virtual kind of the API server is asked. */
interface Read {
  readonly namespace?: string;
  readonly name?: string;
  readonly matches: (object: KubeObject) => boolean;
  readonly signal: AbortSignal;
}

/** A virtual kind for the API server's table. */
export function deviceValuesKind(options: TelemetryOptions) {
  return {
    row: DEVICE_VALUES_ROW,
    schema: DEVICE_VALUES_SCHEMA,
    read: (read: Read): Promise<readonly KubeObject[]> => readValues(options, read),
    watch: (read: Read): AsyncIterable<WatchEvent> => watchValues(options, read),
  };
}

/** A node that does not answer is left out of a list, and is the answer of a read that is about it alone. */
async function readValues(options: TelemetryOptions, read: Read): Promise<readonly DeviceValues[]> {
  const byNode = await devicesByNode(options, read);
  const answers = await Promise.allSettled(
    [...byNode].map(async ([node, devices]) => {
      const bytes = get(options, { node, path: pathOf(read, false), signal: read.signal });
      const { items } = JSON.parse(await textOf(bytes)) as { readonly items: readonly DeviceValues[] };
      return items.filter((each) => isAllowed(each, devices, read));
    }),
  );
  const [failure] = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as unknown] : []));
  if (failure !== undefined && read.name !== undefined) throw failure;
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
}

/** Of the devices and nodes that there are at its start. Ends when one of them breaks off: whoever watches begins anew. */
async function* watchValues(options: TelemetryOptions, read: Read): AsyncGenerator<WatchEvent> {
  const ending = new AbortController();
  const signal = AbortSignal.any([read.signal, ending.signal]);
  const byNode = await devicesByNode(options, read);
  try {
    const path = pathOf(read, true);
    yield* merged([...byNode].map(([node, devices]) => eventsOf(get(options, { node, path, signal }), devices, read)));
  } finally {
    ending.abort();
  }
}

interface NodeGet {
  readonly node: string;
  readonly path: string;
  readonly signal: AbortSignal;
}

async function* get({ dialer }: TelemetryOptions, { node, path, signal }: NodeGet): AsyncGenerator<Uint8Array> {
  const stream = await dialer.open(node, { kind: 'get', path }, signal);
  try {
    yield* stream.incoming;
  } finally {
    stream.abort('nobody reads on');
  }
}

async function* eventsOf(
  bytes: AsyncIterable<Uint8Array>,
  devices: ReadonlySet<string>,
  read: Read,
): AsyncGenerator<WatchEvent> {
  for await (const line of linesOf(bytes)) {
    const event = JSON.parse(line) as WatchEvent<DeviceValues>;
    if (isAllowed(event.object, devices, read)) yield event;
  }
}

/** As they come, until the first one ends. */
async function* merged<T>(streams: readonly AsyncGenerator<T>[]): AsyncGenerator<T> {
  const next = (stream: AsyncGenerator<T>) => stream.next().then((result) => ({ stream, result }));
  const waiting = new Map(streams.map((stream) => [stream, next(stream)]));
  try {
    while (waiting.size > 0) {
      const { stream, result } = await Promise.race(waiting.values());
      if (result.done === true) return;
      waiting.set(stream, next(stream));
      yield result.value;
    }
  } finally {
    for (const each of waiting.values()) each.catch(() => {});
  }
}

/** What a node says counts only for devices that are driven there. */
async function devicesByNode(
  { client }: TelemetryOptions,
  read: Read,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const { namespace, name, signal } = read;
  const items =
    namespace !== undefined && name !== undefined
      ? [await client.get<Device>({ gvr: DEVICES, namespace, name }, { signal })]
      : (await client.list<Device>(DEVICES, { signal, ...(namespace === undefined ? {} : { namespace }) })).items;
  const byNode = new Map<string, Set<string>>();
  for (const { metadata, status } of items) {
    const node = status?.nodes?.[0];
    if (name !== undefined && metadata.name !== name) continue;
    if (node !== undefined) byNode.set(node, (byNode.get(node) ?? new Set()).add(placeOf(metadata)));
    else if (name !== undefined)
      throw new StatusError(503, 'ServiceUnavailable', `device "${name}" is placed on no node`);
  }
  return byNode;
}

function isAllowed(object: DeviceValues, devices: ReadonlySet<string>, { matches }: Read): boolean {
  return devices.has(placeOf(object.metadata)) && matches(object);
}

function placeOf({ namespace, name }: KubeObject['metadata']): string {
  return `${namespace}/${name}`;
}

function pathOf({ namespace, name }: Read, isWatch: boolean): string {
  const query = new URLSearchParams();
  if (namespace !== undefined) query.set('namespace', namespace);
  if (name !== undefined) query.set('name', name);
  if (isWatch) query.set('watch', 'true');
  return `/values?${query}`;
}

/** A node may say so much at once. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const MAX_LINE_BYTES = 8 * 1024 * 1024;

async function textOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of bytes) {
    rest += decoder.decode(chunk, { stream: true });
    if (rest.length > MAX_LINE_BYTES) throw tooLarge();
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

function tooLarge(): StatusError {
  return new StatusError(503, 'ServiceUnavailable', 'the node said more than is taken');
}

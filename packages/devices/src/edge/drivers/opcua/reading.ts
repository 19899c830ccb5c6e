/** Reads of many variables: in as few requests as the server allows, several of them on their way at once. */
import { AttributeIds, type DataValue, type NodeId, type ReadValueIdOptions } from 'node-opcua-client';
import type { Point, ReadGroup, SampleSink } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';
import type { Link } from './link.ts';
import type { Namespaces } from './namespaces.ts';
import { errorOf, errorOfStatus, isBadStatus, qualityOfStatus } from './status.ts';
import { rawOf } from './values.ts';

/** So many requests of one reading are under way: while one is decoded here, the server works on the next. */
const REQUESTS_AT_ONCE = 3;

interface Asked {
  readonly index: number;
  readonly node: ReadValueIdOptions;
}

export interface ReadingOptions {
  readonly link: Link;
  readonly namespaces: Namespaces;
  readonly maxNodes: number;
}

export function readGroup(points: readonly Point[], { link, namespaces, maxNodes }: ReadingOptions): ReadGroup {
  const asked: Asked[] = [];
  const failed = new Map<number, DriverError>();
  for (const [index, point] of points.entries()) {
    try {
      asked.push({ index, node: itemOf(point, namespaces) });
    } catch (error) {
      failed.set(index, errorOf(error));
    }
  }
  const hasStructures = points.some(
    ({ type }) => type.kind === 'struct' || (type.kind === 'list' && type.items.kind === 'struct'),
  );
  const batches = Array.from({ length: Math.ceil(asked.length / maxNodes) }, (_, at) =>
    asked.slice(at * maxNodes, (at + 1) * maxNodes),
  );
  return {
    read: async (sink, signal) => {
      if (hasStructures) await link.learnTypes(signal);
      for (const [index, error] of failed) sink.fail(index, error);
      let next = 0;
      const reader = async () => {
        for (let batch = batches[next++]; batch !== undefined; batch = batches[next++])
          await readBatch(link, batch, sink, signal);
      };
      await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, reader));
    },
  };
}

/** What is asked for, to be read or watched. Throws a DriverError. */
export function itemOf({ address }: Point, namespaces: Namespaces): ReadValueIdOptions & { nodeId: NodeId } {
  const { nodeId, indexRange } = address;
  return {
    nodeId: namespaces.nodeId(String(nodeId)),
    attributeId: AttributeIds.Value,
    ...(typeof indexRange === 'string' ? { indexRange: indexRange as never } : {}),
  };
}

async function readBatch(link: Link, batch: readonly Asked[], sink: SampleSink, signal: AbortSignal): Promise<void> {
  const values = await link.ask(signal, (session) => session.read(batch.map(({ node }) => node)));
  for (const [at, { index }] of batch.entries()) {
    const value = values[at];
    if (value === undefined)
      sink.fail(index, new DriverError('Malformed', 'the server has answered less than it was asked'));
    else tell(sink, index, value);
  }
}

const PICOSECONDS_PER_MS = 1e9;

/** A value that is bad is still told where there is one: the quality says what it is worth. */
export function tell(sink: SampleSink, index: number, sample: DataValue): void {
  const { statusCode, value } = sample;
  const raw = value === null || value === undefined ? undefined : rawOf(value);
  if (raw === undefined) {
    const error = isBadStatus(statusCode)
      ? errorOfStatus('the value', statusCode)
      : new DriverError('NotFound', 'the variable holds no value');
    sink.fail(index, error);
    return;
  }
  sink.value(index, raw, timeOf(sample), qualityOfStatus(statusCode));
}

/** In milliseconds since 1970, where the source says it. */
export function timeOf({ sourceTimestamp, sourcePicoseconds }: DataValue): number | undefined {
  return sourceTimestamp === null || sourceTimestamp === undefined
    ? undefined
    : sourceTimestamp.getTime() + sourcePicoseconds / PICOSECONDS_PER_MS;
}

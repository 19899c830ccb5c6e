/** Values of the past, as the server has kept them. */
import { Quality } from '@skerry/streams/contract';
import {
  type DataValue,
  type HistoryData,
  HistoryReadRequest,
  type NodeId,
  ReadRawModifiedDetails,
  TimestampsToReturn,
} from 'node-opcua-client';
import type { RawValue } from '../../../values/encoding.ts';
import type { HistoryRequest, SampleSink } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';
import type { Link } from './link.ts';
import type { Namespaces } from './namespaces.ts';
import { itemOf, tell, timeOf } from './reading.ts';
import { errorOf, errorOfStatus, isBadStatus } from './status.ts';
import { rawOf } from './values.ts';

/** So many values of one variable in one answer. */
const VALUES_AT_ONCE = 1000;

export interface HistoryContext {
  readonly link: Link;
  readonly namespaces: Namespaces;
  readonly signal: AbortSignal;
}

/** A point without a history fails alone. */
export async function readHistory(request: HistoryRequest, sink: SampleSink, context: HistoryContext): Promise<void> {
  for (const [index, point] of request.points.entries()) {
    try {
      const { nodeId } = itemOf(point, context.namespaces);
      for await (const value of valuesOf(nodeId, request, context)) tellPast(sink, index, value);
    } catch (error) {
      if (context.signal.aborted) throw error;
      sink.fail(index, errorOf(error));
    }
  }
}

/** One without a value, as servers keep where they had none, keeps its place and is bad. */
function tellPast(sink: SampleSink, index: number, sample: DataValue): void {
  const { value } = sample;
  if (value === null || value === undefined || rawOf(value) === undefined)
    sink.value(index, NOTHING, timeOf(sample), Quality.bad);
  else tell(sink, index, sample);
}

/** No type of a property can be made of it. */
const NOTHING: RawValue = {};

async function* valuesOf(
  nodeId: NodeId,
  request: HistoryRequest,
  { link, signal }: HistoryContext,
): AsyncGenerator<DataValue> {
  let left = request.limit;
  let rest: Buffer | undefined;
  do {
    const asked = requestOf(nodeId, { ...request, limit: left }, rest);
    const page = await link.ask(signal, (session) => session.historyRead(asked));
    const [result] = page.results ?? [];
    if (result === undefined) throw new DriverError('Malformed', 'the server has answered less than it was asked');
    if (isBadStatus(result.statusCode)) throw errorOfStatus('the history', result.statusCode);
    const values = (result.historyData as HistoryData | null)?.dataValues ?? [];
    for (const value of values) yield value;
    left -= values.length;
    rest = result.continuationPoint?.length ? result.continuationPoint : undefined;
    if (values.length === 0) break;
  } while (left > 0 && rest !== undefined);
  if (rest !== undefined) await release(nodeId, request, rest, { link, signal });
}

/** A server keeps what nobody has read to its end, and has room for few of these. */
async function release(
  nodeId: NodeId,
  request: HistoryRequest,
  rest: Buffer,
  { link, signal }: Pick<HistoryContext, 'link' | 'signal'>,
): Promise<void> {
  const asked = requestOf(nodeId, request, rest);
  asked.releaseContinuationPoints = true;
  await link.ask(signal, (session) => session.historyRead(asked)).catch(() => {});
}

function requestOf(nodeId: NodeId, { from, to, limit }: HistoryRequest, rest: Buffer | undefined): HistoryReadRequest {
  return new HistoryReadRequest({
    nodesToRead: [{ nodeId, ...(rest === undefined ? {} : { continuationPoint: rest }) }],
    timestampsToReturn: TimestampsToReturn.Source,
    releaseContinuationPoints: false,
    historyReadDetails: new ReadRawModifiedDetails({
      isReadModified: false,
      returnBounds: false,
      startTime: new Date(from),
      endTime: new Date(to),
      numValuesPerNode: Math.min(limit, VALUES_AT_ONCE),
    }),
  });
}

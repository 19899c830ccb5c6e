/** What a device itself has kept of a property, where its protocol can say it. */
import { Quality, severityOf } from '@skerry/streams/contract';
import type { DeviceHistoryRequest, HistoryValue } from '../../telemetry/history-request.ts';
import { valueToJson } from '../../values/value.ts';
import type { SampleSink, Session } from '../driver.ts';
import { DriverError, isDriverError } from '../driver-error.ts';
import type { PlannedPoint } from './device-plan.ts';

export interface HistoryRange extends Pick<DeviceHistoryRequest, 'from' | 'to' | 'limit'> {
  /** For words. */
  readonly protocol: string;
  readonly signal: AbortSignal;
}

/** Rejects with a DriverError. */
export async function readHistoryOf(
  session: Session,
  planned: PlannedPoint,
  { from, to, limit, protocol, signal }: HistoryRange,
): Promise<readonly HistoryValue[]> {
  if (session.history === undefined)
    throw new DriverError('Unsupported', `a device of ${protocol} keeps no history; ${elsewhere(planned)}`);
  const values: HistoryValue[] = [];
  let failure: DriverError | undefined;
  const sink: SampleSink = {
    value: (_, raw, time, quality = Quality.good) => {
      if (values.length < limit && time !== undefined) values.push(historyValue(planned, { raw, time, quality }));
    },
    fail: (_, error) => {
      failure = error;
    },
  };
  await session.history({ points: [planned.point], from, to, limit }, sink, signal);
  if (isDriverError(failure, 'Unsupported'))
    throw new DriverError('Unsupported', `${failure.message}; ${elsewhere(planned)}`, { cause: failure });
  if (failure !== undefined) throw failure;
  return values;
}

function elsewhere({ property: { name } }: PlannedPoint): string {
  return `what was recorded of it is read by "skerry series query ${name}"`;
}

interface PastSample {
  readonly raw: Parameters<PlannedPoint['codec']['decode']>[0];
  readonly time: number;
  readonly quality: number;
}

/** What cannot be decoded is bad, and keeps its place. */
function historyValue({ codec, property }: PlannedPoint, { raw, time, quality }: PastSample): HistoryValue {
  const at = new Date(time).toISOString();
  try {
    return { time: at, value: valueToJson(property.valueType, codec.decode(raw)), quality: severityOf(quality) };
  } catch {
    return { time: at, quality: 'Bad' };
  }
}

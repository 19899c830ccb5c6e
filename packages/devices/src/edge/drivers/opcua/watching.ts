/** Subscriptions: what changes is told once; what the server or the way to it has lost is counted. */
import {
  ClientMonitoredItemGroup,
  type ClientSession,
  ClientSubscription,
  DataChangeFilter,
  DataChangeTrigger,
  type DataValue,
  DeadbandType,
  type MonitoringParametersOptions,
  type NotificationMessage,
  type ReadValueIdOptions,
  type StatusCode,
  TimestampsToReturn,
} from 'node-opcua-client';
import type { Point, SampleSink } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';
import type { Link } from './link.ts';
import type { Namespaces } from './namespaces.ts';
import { itemOf, tell } from './reading.ts';
import { errorOf, errorOfStatus, hasOverflowed, isBadStatus } from './status.ts';
import { milliseconds } from './terms.ts';

export interface WatchOptions {
  readonly link: Link;
  readonly namespaces: Namespaces;
  /** Valid by the protocol's schema, with its defaults. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly maxItems: number;
  readonly signal: AbortSignal;
}

interface Watched {
  readonly index: number;
  readonly item: ReadValueIdOptions;
  readonly parameters: MonitoringParametersOptions;
}

/** Resolves when the server watches every point that it can. */
export async function watch(points: readonly Point[], sink: SampleSink, options: WatchOptions): Promise<void> {
  const { link, signal, maxItems } = options;
  const subscription = await openSubscription(options);
  countLost(subscription, sink);
  for (const batch of batchesOf(points, sink, options, maxItems)) {
    const items = batch.map(({ item }) => item);
    const onChange = (change: unknown, at: number) => {
      const value = change as DataValue;
      if (hasOverflowed(value.statusCode)) sink.lost?.(1);
      tell(sink, batch[at]?.index ?? 0, value);
    };
    const codes = await link.ask(signal, () =>
      monitor(subscription, { items, parameters: batch[0]?.parameters ?? {}, onChange }),
    );
    for (const [at, statusCode] of codes.entries()) {
      const index = batch[at]?.index;
      if (index !== undefined && isBadStatus(statusCode))
        sink.fail(index, errorOfStatus('the subscription', statusCode));
    }
  }
}

export interface Monitored {
  readonly items: readonly ReadValueIdOptions[];
  readonly parameters: MonitoringParametersOptions;
  /** With a DataValue, or the fields of an event. */
  readonly onChange: (change: unknown, at: number) => void;
}

/** What became of each item. Listens before the server is asked: the first changes may come in one piece with its answer. */
export function monitor(
  subscription: ClientSubscription,
  { items, parameters, onChange }: Monitored,
): Promise<readonly StatusCode[]> {
  const group = ClientMonitoredItemGroup.create(subscription, [...items], parameters, TimestampsToReturn.Source);
  group.on('changed', (_item, change: unknown, at: number) => onChange(change, at));
  return new Promise((resolve, reject) => {
    group.once('initialized', () => resolve(group.monitoredItems.map(({ statusCode }) => statusCode)));
    group.once('err', (message) => reject(new Error(message)));
  });
}

/** Ends with the signal. */
export async function openSubscription({
  link,
  options,
  signal,
}: Omit<WatchOptions, 'namespaces' | 'maxItems'>): Promise<ClientSubscription> {
  const subscription = await link.ask(signal, (session) => createSubscription(session, options));
  const end = () => void subscription.terminate().catch(() => {});
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  subscription.on('status_changed', (status) => {
    // The server has given it up although the session lives: only connecting anew brings it back.
    if (isBadStatus(status))
      link.end(new DriverError('Unreachable', `the server has ended the subscription: ${status.name}`));
  });
  return subscription;
}

function createSubscription(
  session: ClientSession,
  options: Readonly<Record<string, unknown>>,
): Promise<ClientSubscription> {
  const subscription = ClientSubscription.create(session, {
    requestedPublishingInterval: milliseconds(options['publishingInterval'], 250),
    requestedMaxKeepAliveCount: Number(options['keepAliveCount'] ?? 20),
    requestedLifetimeCount: Number(options['lifetimeCount'] ?? 1200),
    maxNotificationsPerPublish: Number(options['maxNotifications'] ?? 0),
    publishingEnabled: true,
  });
  return new Promise((resolve, reject) => {
    subscription.once('started', () => resolve(subscription));
    subscription.once('error', reject);
  });
}

/** The library's own number of the message that came last: it asks for those after it when a connection is regained. */
interface Numbered {
  lastSequenceNumber: number;
}

/** What was lost on its way is asked for again, and may come after later ones: it is lost once so many came without it. */
const PATIENCE = 3;
/** A larger gap is told at once. */
const MAX_AWAITED = 1000;

/**
 * Messages are numbered without gaps. A gap is at least one value that never came; so is a subscription that had to be
 * made anew, as nobody knows what changed meanwhile.
 */
export function countLost(subscription: ClientSubscription, sink: Pick<SampleSink, 'lost'>): void {
  let next: number | undefined;
  /** How many came since each was first missed. */
  const awaited = new Map<number, number>();
  const giveUp = (numbers: readonly number[]): void => {
    for (const number of numbers) awaited.delete(number);
    if (numbers.length > 0) sink.lost?.(numbers.length);
  };
  const onGap = (from: number, to: number): void => {
    if (to - from > MAX_AWAITED) sink.lost?.(to - from);
    else for (let number = from; number < to; number++) awaited.set(number, 0);
  };
  subscription.on('raw_notification', ({ sequenceNumber, notificationData }: NotificationMessage) => {
    const isKeepAlive = (notificationData ?? []).length === 0;
    // A keep-alive has the number of the message that comes next. Without this, that one would not be asked for again.
    if (isKeepAlive) (subscription as unknown as Numbered).lastSequenceNumber = sequenceNumber - 1;
    if (!isKeepAlive) awaited.delete(sequenceNumber);
    for (const [number, count] of awaited) awaited.set(number, count + 1);
    giveUp([...awaited].filter(([, count]) => count >= PATIENCE).map(([number]) => number));
    if (next !== undefined && sequenceNumber > next) onGap(next, sequenceNumber);
    if (next === undefined || sequenceNumber >= next) next = isKeepAlive ? sequenceNumber : following(sequenceNumber);
  });
  (subscription as unknown as { on(event: 'subscriptionId_changed', listener: () => void): void }).on(
    'subscriptionId_changed',
    () => {
      next = undefined;
      giveUp([...awaited.keys()]);
      sink.lost?.(1);
    },
  );
}

const LAST_NUMBER = 0xffff_ffff;

/** After the last one comes 1. */
function following(sequenceNumber: number): number {
  return sequenceNumber === LAST_NUMBER ? 1 : sequenceNumber + 1;
}

/** Points that the server can watch with the same parameters, at most so many together. */
function* batchesOf(
  points: readonly Point[],
  sink: SampleSink,
  { namespaces }: WatchOptions,
  maxItems: number,
): Generator<readonly Watched[]> {
  const watched = points.flatMap((point, index): readonly Watched[] => {
    try {
      return [{ index, item: itemOf(point, namespaces), parameters: parametersOf(point) }];
    } catch (error) {
      sink.fail(index, errorOf(error));
      return [];
    }
  });
  const alike = Map.groupBy(watched, ({ parameters }) => JSON.stringify(parameters));
  for (const group of alike.values()) {
    for (let at = 0; at < group.length; at += maxItems) yield group.slice(at, at + maxItems);
  }
}

/** The server samples as often as it publishes. */
const AS_PUBLISHED = -1;

function parametersOf({ address }: Point): MonitoringParametersOptions {
  const { samplingInterval, queueSize = 10, discardOldest = true } = address;
  const filter = filterOf(address);
  return {
    samplingInterval: milliseconds(samplingInterval, AS_PUBLISHED),
    queueSize: Number(queueSize),
    discardOldest: discardOldest === true,
    ...(filter === undefined ? {} : { filter }),
  };
}

function filterOf({
  trigger = 'StatusValue',
  absoluteDeadband,
  percentDeadband,
}: Point['address']): DataChangeFilter | undefined {
  const deadbandValue = Number(absoluteDeadband ?? percentDeadband ?? 0);
  if (trigger === 'StatusValue' && deadbandValue === 0) return undefined;
  const isAbsolute = absoluteDeadband !== undefined;
  return new DataChangeFilter({
    trigger: DataChangeTrigger[trigger as keyof typeof DataChangeTrigger],
    deadbandType: deadbandValue === 0 ? DeadbandType.None : isAbsolute ? DeadbandType.Absolute : DeadbandType.Percent,
    deadbandValue,
  });
}

/** A connected server, as a Device sees it. */
import { AttributeIds, type ClientSession, readOperationLimits } from 'node-opcua-client';
import type {
  BrowseEntry,
  CallRequest,
  DeviceSettings,
  EventPoint,
  EventSink,
  HistoryRequest,
  Point,
  PointWrite,
  ReadGroup,
  SampleSink,
  Session,
} from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';
import { childrenOf } from './browsing.ts';
import { listen } from './events.ts';
import { readHistory } from './history.ts';
import type { Link } from './link.ts';
import { type Namespaces, namespacesOf } from './namespaces.ts';
import { readGroup } from './reading.ts';
import { watch } from './watching.ts';
import { Writer } from './writing.ts';

/** What the server says that it bears at once; 0 where it does not say. */
interface Limits {
  readonly read: number;
  readonly write: number;
  readonly monitored: number;
}

/** Where a server does not say. */
const WRITES_AT_ONCE = 500;
const ITEMS_AT_ONCE = 1000;

/** Asks what the driver must know of the server before anything else. */
export async function beginSession(link: Link, settings: DeviceSettings, signal: AbortSignal): Promise<Session> {
  const uris = await link.ask(signal, readNamespaces);
  const limits = await link.ask(signal, readLimits);
  // A server that has restarted may have its namespaces in another order: then all that was worked out is wrong.
  link.session.on('session_restored', () => void endIfMoved(link, uris, signal));
  return new OpcuaSession(link, { settings, limits, namespaces: namespacesOf(uris) });
}

async function readNamespaces(session: ClientSession): Promise<readonly string[]> {
  const { value } = await session.read({ nodeId: 'i=2255', attributeId: AttributeIds.Value });
  return (value.value as readonly string[] | null) ?? [];
}

async function readLimits(session: ClientSession): Promise<Limits> {
  const limits = await readOperationLimits(session);
  return {
    read: limits.maxNodesPerRead ?? 0,
    write: limits.maxNodesPerWrite ?? 0,
    monitored: limits.maxMonitoredItemsPerCall ?? 0,
  };
}

async function endIfMoved(link: Link, before: readonly string[], signal: AbortSignal): Promise<void> {
  const after = await link.ask(signal, readNamespaces).catch(() => before);
  if (before.join(' ') !== after.join(' '))
    link.end(new DriverError('Unreachable', 'the server has restarted with other namespaces'));
}

interface Known {
  readonly settings: DeviceSettings;
  readonly limits: Limits;
  readonly namespaces: Namespaces;
}

class OpcuaSession implements Session {
  readonly #link: Link;
  readonly #known: Known;
  readonly #writer: Writer;

  constructor(link: Link, known: Known) {
    this.#link = link;
    this.#known = known;
    this.#writer = new Writer(link, known.namespaces, known.limits.write || WRITES_AT_ONCE);
  }

  get ended(): Promise<DriverError | undefined> {
    return this.#link.ended;
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  group(points: readonly Point[]): ReadGroup {
    const { limits, settings, namespaces } = this.#known;
    const wanted = Number(settings.options['maxNodesPerRead'] ?? DEFAULT_NODES_PER_READ);
    const maxNodes = limits.read === 0 ? wanted : Math.min(limits.read, wanted);
    return readGroup(points, { link: this.#link, namespaces, maxNodes });
  }

  subscribe(points: readonly Point[], sink: SampleSink, signal: AbortSignal): Promise<void> {
    return watch(points, sink, this.#watching(signal));
  }

  listen(events: readonly EventPoint[], sink: EventSink, signal: AbortSignal): Promise<void> {
    return listen(events, sink, this.#watching(signal));
  }

  write(writes: readonly PointWrite[], signal: AbortSignal): Promise<readonly (DriverError | undefined)[]> {
    return this.#writer.write(writes, signal);
  }

  call(request: CallRequest, signal: AbortSignal): ReturnType<NonNullable<Session['call']>> {
    return this.#writer.call(request, signal);
  }

  browse(address: Readonly<Record<string, unknown>> | undefined, signal: AbortSignal): AsyncIterable<BrowseEntry> {
    const from = address?.['nodeId'] ?? address?.['objectId'];
    return childrenOf(typeof from === 'string' ? from : undefined, { ...this.#context(), signal });
  }

  history(request: HistoryRequest, sink: SampleSink, signal: AbortSignal): Promise<void> {
    return readHistory(request, sink, { ...this.#context(), signal });
  }

  #context() {
    return { link: this.#link, namespaces: this.#known.namespaces };
  }

  #watching(signal: AbortSignal) {
    const { settings, limits } = this.#known;
    return { ...this.#context(), signal, options: settings.options, maxItems: limits.monitored || ITEMS_AT_ONCE };
  }
}

const DEFAULT_NODES_PER_READ = 10_000;

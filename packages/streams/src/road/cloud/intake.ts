/** What nodes bring comes here: each row once into the cloud's store, under the name of the node that the link knows. */
import { type Clock, hasCode, type Logger, messageOf } from '@skerry/base';
import type { LinkStream } from '@skerry/link';
import type { Batch, Boxed } from '../../contract/index.ts';
import type { Appended, Labels, Mark, SeriesStore } from '../../store/index.ts';
import { Places } from '../core/places.ts';
import { type ArrivedBlock, Receiver } from '../core/receiver.ts';
import { decodeBlock } from '../wire/block.ts';
import { type CloudMessage, decodeEdgeMessage, encodeCloudMessage, type SeriesName } from '../wire/messages.ts';
import { Admittance, type MayBring } from './admittance.ts';
import { Committer, NOTHING_REFUSED, type Refusal, WHOLE } from './committer.ts';
import { LatePace } from './late-pace.ts';

export interface IntakeLimits {
  readonly seriesPerNode: number;
  /** Of blocks, of each node. */
  readonly bytesPerSecondPerNode: number;
}

export interface IntakeOptions {
  readonly store: SeriesStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits?: Partial<IntakeLimits>;
  /** All that a node names is taken without it. */
  readonly mayBring?: MayBring;
  /** Rows in the store's memory from which on what waited at the edge has to go on waiting. */
  readonly crowdedRows?: number;
}

export interface Intake {
  /** Serves the road's stream of a node: `node` is what its certificate says. Ends when the stream does. */
  serve(node: string, stream: LinkStream, signal: AbortSignal): Promise<void>;
  nodes(): readonly NodeIntake[];
}

export interface NodeIntake {
  readonly node: string;
  readonly isConnected: boolean;
  readonly series: number;
  /** Since the cloud started. */
  readonly rows: number;
  readonly bytes: number;
  readonly refused: number;
}

const LIMITS: IntakeLimits = { seriesPerNode: 100_000, bytesPerSecondPerNode: 16 * 1024 * 1024 };
/** Which label says whose series it is. No edge has a say in it. */
const NODE_LABEL = 'node';
const BEHIND_MS = 5;
const BRING_ALL: MayBring = async () => true;
/** So long a node's rate may be saved up. */
const BURST_MS = 1000;

export function createIntake(options: IntakeOptions): Intake {
  const desks = new Map<string, NodeDesk>();
  const limits = { ...LIMITS, ...options.limits };
  return {
    serve: (node, stream, signal) => {
      let desk = desks.get(node);
      if (desk === undefined) {
        desk = new NodeDesk(node, options, limits);
        desks.set(node, desk);
      }
      return desk.serve(stream, signal);
    },
    nodes: () => [...desks.values()].map((desk) => desk.report()),
  };
}

/** What a session knows. */
interface Session {
  /** Numbers in the store, by those of the session. */
  readonly names: Map<number, number>;
  readonly places: Places;
  readonly admittance: Admittance;
  readonly signal: AbortSignal;
}

/** One node's: there is one session of it at a time. */
class NodeDesk {
  readonly #node: string;
  readonly #options: IntakeOptions;
  readonly #limits: IntakeLimits;
  readonly #series = new Set<number>();
  #session: { readonly end: AbortController; readonly ended: Promise<void> } | undefined;
  #rows = 0;
  #bytes = 0;
  #refused = 0;
  #allowance: number;
  #allowedAt: number;

  constructor(node: string, options: IntakeOptions, limits: IntakeLimits) {
    this.#node = node;
    this.#options = options;
    this.#limits = limits;
    this.#allowance = limits.bytesPerSecondPerNode;
    this.#allowedAt = options.clock.monotonic();
    const known = options.store.seriesOf([{ label: NODE_LABEL, op: '=', value: node }]);
    for (const { id } of known) this.#series.add(id);
  }

  report(): NodeIntake {
    return {
      node: this.#node,
      isConnected: this.#session !== undefined,
      series: this.#series.size,
      rows: this.#rows,
      bytes: this.#bytes,
      refused: this.#refused,
    };
  }

  /** Invariant: a session begins when the one before has ended and what it took is on disk, so what is told of a queue stays true. */
  async serve(stream: LinkStream, signal: AbortSignal): Promise<void> {
    const end = new AbortController();
    const before = this.#session;
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const session = { end, ended };
    this.#session = session;
    before?.end.abort();
    try {
      await before?.ended;
      await this.#options.store.sync();
      await this.#run(stream, AbortSignal.any([signal, end.signal]));
    } finally {
      if (this.#session === session) this.#session = undefined;
      resolve();
    }
  }

  async #run(stream: LinkStream, signal: AbortSignal): Promise<void> {
    const places = new Places((place) => this.#options.store.mark(this.#markOf(place)));
    const receiver = new Receiver(places);
    const { store, clock, crowdedRows = Number.POSITIVE_INFINITY, mayBring = BRING_ALL } = this.#options;
    const isKnown = ({ labels }: SeriesName) => this.#isKnown({ ...labels, [NODE_LABEL]: this.#node });
    const admittance = new Admittance({ node: this.#node, clock, mayBring, isKnown });
    const session: Session = { names: new Map(), places, admittance, signal };
    const committer = new Committer(store, stream);
    const send = (message: CloudMessage) => stream.send(encodeCloudMessage(message));
    const isCrowded = () => crowdedRows < Number.POSITIVE_INFINITY && store.stats().headRows > crowdedRows;
    const pace = new LatePace({ isCrowded, send, clock, signal });
    const leave = () => stream.abort('another session of this node has begun');
    signal.addEventListener('abort', leave, { once: true });
    if (signal.aborted) leave();
    for await (const bytes of stream.incoming) {
      if (signal.aborted) return;
      await this.#paced(bytes.length, signal);
      for (const arrival of receiver.accept(decodeEdgeMessage(bytes))) {
        if (arrival.type === 'reply')
          await (arrival.message.type === 'got' ? pace.tell(arrival.message) : send(arrival.message));
        else if (arrival.type === 'series') this.#learn(await admittance.admit(arrival.series, signal), session);
        else committer.add(arrival, await this.#take(arrival, session));
      }
      await committer.room();
    }
    await committer.done();
  }

  #markOf(place: number): string {
    return `road/${this.#node}/${place}`;
  }

  /** Series that are beyond the node's number have none. */
  #learn(series: readonly SeriesName[], { names }: Session): void {
    for (const { id, type, labels } of series) {
      if (names.size >= this.#limits.seriesPerNode) return;
      const own: Labels = { ...labels, [NODE_LABEL]: this.#node };
      if (this.#series.size >= this.#limits.seriesPerNode && !this.#isKnown(own)) continue;
      const number = this.#number(own, type);
      if (number === undefined) continue;
      this.#series.add(number);
      names.set(id, number);
    }
  }

  #number(labels: Labels, type: SeriesName['type']): number | undefined {
    try {
      return this.#options.store.series(labels, type);
    } catch (error) {
      this.#options.log.warn({ node: this.#node, labels, error: messageOf(error) }, 'a series of a node is refused');
      return undefined;
    }
  }

  #isKnown(labels: Labels): boolean {
    const matchers = Object.entries(labels).map(([label, value]) => ({ label, op: '=' as const, value }));
    const size = matchers.length;
    return this.#options.store.seriesOf(matchers).some((each) => Object.keys(each.labels).length === size);
  }

  /** Rows and position are one commit of the store. */
  async #take(block: ArrivedBlock, session: Session): Promise<Refusal> {
    const { places, admittance, signal } = session;
    if (!block.isNew) return NOTHING_REFUSED;
    const mark = { key: this.#markOf(block.place), value: places.mark(block.place) };
    const decoded = this.#decode(block);
    this.#bytes += block.bytes.length;
    if (typeof decoded === 'string') {
      await this.#append(EMPTY, mark, signal);
      return { rows: WHOLE, reason: decoded };
    }
    this.#learn(await admittance.again(signal), session);
    const { batch, unknown, denied } = named(decoded, session);
    const { taken, tooOld, tooNew, refused } = await this.#append(batch, mark, signal);
    this.#rows += taken;
    const rows = unknown + denied + tooOld + tooNew + refused;
    this.#refused += rows;
    return { rows, reason: reasonOf({ unknown, denied, tooOld, tooNew, refused }) };
  }

  /** A store whose disk is behind takes it a little later. */
  async #append(batch: Batch, mark: Mark, signal: AbortSignal): Promise<Appended> {
    const { store, clock } = this.#options;
    for (;;) {
      try {
        return store.append(batch, mark);
      } catch (error) {
        if (!hasCode(error, 'SERIES_BEHIND')) throw error;
      }
      await store.sync();
      await clock.sleep(BEHIND_MS, signal);
    }
  }

  #decode({ bytes, number }: ArrivedBlock): Batch | string {
    try {
      return decodeBlock(bytes);
    } catch (error) {
      this.#options.log.warn({ node: this.#node, number, error: messageOf(error) }, 'a block of a node cannot be read');
      return 'the block cannot be read';
    }
  }

  async #paced(bytes: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const rate = this.#limits.bytesPerSecondPerNode;
    const now = clock.monotonic();
    this.#allowance = Math.min((rate * BURST_MS) / 1000, this.#allowance + ((now - this.#allowedAt) * rate) / 1000);
    this.#allowedAt = now;
    this.#allowance -= bytes;
    if (this.#allowance < 0) await clock.sleep((-this.#allowance * 1000) / rate, signal).catch(() => {});
  }
}

const EMPTY: Batch = {
  length: 0,
  series: new Uint32Array(),
  times: new Float64Array(),
  values: new Float64Array(),
  qualities: new Uint8Array(),
};

/** With the store's numbers of series; rows of series that the node may not have are left out. */
function named(
  decoded: Batch,
  { names, admittance }: Pick<Session, 'names' | 'admittance'>,
): { readonly batch: Batch; readonly unknown: number; readonly denied: number } {
  const { length, series, times, values, qualities, boxed } = decoded;
  let [kept, denied] = [0, 0];
  const moved = new Map<number, Boxed>();
  for (let row = 0; row < length; row++) {
    const id = names.get(series[row] ?? 0);
    if (id === undefined) {
      if (admittance.isDenied(series[row] ?? 0)) denied++;
      continue;
    }
    series[kept] = id;
    times[kept] = times[row] ?? 0;
    values[kept] = values[row] ?? 0;
    qualities[kept] = qualities[row] ?? 0;
    const box = boxed?.get(row);
    if (box !== undefined) moved.set(kept, box);
    kept++;
  }
  const columns = { length: kept, series, times, values, qualities };
  return { batch: moved.size === 0 ? columns : { ...columns, boxed: moved }, unknown: length - kept - denied, denied };
}

function reasonOf(refused: { readonly [what: string]: number }): string {
  const words: Readonly<Record<string, string>> = {
    unknown: 'of series beyond what a node may have',
    denied: 'of namespaces that have no Route on this node',
    tooOld: 'older than what the cloud keeps',
    tooNew: 'ahead of the cloud’s clock',
    refused: 'not storable',
  };
  const parts = Object.entries(refused).filter(([, rows]) => rows > 0);
  return parts.map(([what, rows]) => `${rows} ${words[what] ?? what}`).join(', ');
}

/** A cloud and one edge with real stores and API servers, and between them a link that a test makes slow, cuts and loses. */
import type { Authorizer, Sealer, UserInfo } from '@skerry/api';
import { silentLogger, systemClock } from '@skerry/base';
import type { Client } from '../../client/contract.ts';
import { createInProcessClient } from '../../client/in-process.ts';
import { type ApiServer, createApiServer } from '../../server/api-server.ts';
import type { Store } from '../../store/contract.ts';
import type { SqliteStore } from '../../store/sqlite-store.ts';
import { nextTurn, openTestStore, temporaryDirectory } from '../../store/testing/temporary-store.ts';
import { type Concerns, openConcerns } from '../concerns.ts';
import type { OutboxSink, StateChange, StateFeed } from '../contract.ts';
import { trackIncluded } from '../included.ts';
import { openReplica, type Replica } from '../open-replica.ts';
import { createOutboxSink, type DroppedEntry } from '../outbox-sink.ts';
import { createStateFeed } from '../state-feed.ts';

export const NODE = 'edge-1';

const ADMIN: UserInfo = { username: 'admin', groups: ['system:masters'] };
const SMALL_BATCH = 3;
export const SMALL_OUTBOX = 40;

interface Batch {
  readonly isCurrent: boolean;
  readonly changes: readonly StateChange[];
  readonly position: Uint8Array;
}

/** How many turns a thing takes on its way. */
export type Delay = () => number;

export class TwoShores implements AsyncDisposable {
  readonly #directory = temporaryDirectory();
  readonly #delay: Delay;
  readonly dropped: DroppedEntry[] = [];
  /** What was sent down, in bytes of objects and in batches; and how often the whole list of versions was asked for. */
  bytesDown = 0;
  batchesDown = 0;
  versionsAsked = 0;
  cloud: Cloud;
  edge: Edge;
  #session: Session | undefined;

  constructor(delay: Delay = () => 0) {
    this.#delay = delay;
    this.cloud = this.#openCloud();
    this.edge = this.#openEdge();
  }

  get isConnected(): boolean {
    return this.#session !== undefined;
  }

  connect(): void {
    if (this.#session !== undefined) return;
    const { feed, sink } = this.cloud;
    this.#session = new Session(this, { feed, sink, replica: this.edge.replica, delay: this.#delay });
  }

  /** Whatever is on its way is lost. */
  async disconnect(): Promise<void> {
    await this.#session?.end();
    this.#session = undefined;
  }

  async restartCloud(): Promise<void> {
    await this.disconnect();
    await this.cloud.close();
    this.cloud = this.#openCloud();
  }

  async restartEdge(): Promise<void> {
    await this.disconnect();
    await this.edge.close();
    this.edge = this.#openEdge();
  }

  async turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn++) await nextTurn();
  }

  /** Connected, everything told both ways, and nothing moves any more. */
  async quiet(): Promise<void> {
    this.connect();
    for (let calm = 0; calm < 10; ) {
      const before = this.#pulse();
      await this.turns(10);
      calm = this.#pulse() === before && this.edge.replica.outboxSize() === 0 ? calm + 1 : 0;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect();
    await this.cloud.close();
    await this.edge.close();
    this.#directory[Symbol.dispose]();
  }

  #pulse(): string {
    return [this.cloud.store.revision, this.edge.replica.store.revision, this.#session?.moves].join();
  }

  #openCloud(): Cloud {
    return openCloud(this.#directory.path('cloud.db'), (dropped) => this.dropped.push(dropped));
  }

  #openEdge(): Edge {
    return openEdge(this.#directory.path('edge.db'));
  }
}

export interface Cloud {
  readonly store: SqliteStore;
  readonly client: Client;
  readonly concerns: Concerns;
  readonly feed: StateFeed;
  readonly sink: OutboxSink;
  close(): Promise<void>;
}

export interface Edge {
  readonly replica: Replica;
  readonly client: Client;
  close(): Promise<void>;
}

function openCloud(file: string, onDropped: (dropped: DroppedEntry) => void): Cloud {
  const store = openTestStore(file);
  const server = serve(store, markingSealer('cloud'));
  const rows = () => server.table.all().map(({ row }) => row);
  const concerns = openConcerns({ store, rows, log: silentLogger });
  const included = trackIncluded();
  return {
    store,
    client: clientOf(server, ADMIN),
    concerns,
    feed: createStateFeed({ store, concerns, included, sealer: markingSealer('cloud'), batchChanges: SMALL_BATCH }),
    sink: createOutboxSink({
      clientFor: (node) => clientOf(server, { username: `system:node:${node}`, groups: ['system:nodes'] }),
      rows,
      included,
      log: silentLogger,
      onDropped,
    }),
    close: async () => {
      server.close();
      concerns.close();
      await store.close();
    },
  };
}

function openEdge(file: string): Edge {
  const rows = () => server.table.all().map(({ row }) => row);
  const sealer = markingSealer('edge');
  const replica = openReplica({
    file,
    node: NODE,
    rows,
    sealer,
    maxOutboxEntries: SMALL_OUTBOX,
    clock: systemClock,
    log: silentLogger,
  });
  const server: ApiServer = serve(replica.store, sealer);
  return {
    replica,
    client: clientOf(server, ADMIN),
    close: async () => {
      server.close();
      await replica.close();
    },
  };
}

function serve(store: Store, sealer: Sealer): ApiServer {
  return createApiServer({ store, sealer, clock: systemClock, log: silentLogger, authorizer: NODES_READ_NO_EVENTS });
}

/** Of all that the node authorizer refuses, what a sink could take for granted. */
const NODES_READ_NO_EVENTS: Authorizer = {
  authorize: ({ user, verb, resource }) => ({
    allowed: !(user.groups.includes('system:nodes') && resource?.resource === 'events' && verb === 'get'),
  }),
};

/** No secrecy, but each shore opens only what it has sealed itself, at the place where it was sealed. */
function markingSealer(shore: string): Sealer {
  const mark = (cell: string) => Buffer.from(`${shore} ${cell} `);
  return {
    seal: (cell, plain) => Buffer.concat([mark(cell), Buffer.from(plain).reverse()]),
    open: (cell, sealed) => {
      const bytes = Buffer.from(sealed);
      if (!bytes.subarray(0, mark(cell).length).equals(mark(cell))) throw new Error('sealed elsewhere');
      return Buffer.from(bytes.subarray(mark(cell).length)).reverse();
    },
  };
}

function clientOf(server: ApiServer, user: UserInfo): Client {
  return createInProcessClient({ handle: (request) => server.handle(request), user });
}

interface SessionOptions {
  readonly feed: StateFeed;
  readonly sink: OutboxSink;
  readonly replica: Replica;
  readonly delay: Delay;
}

class Session {
  readonly #world: TwoShores;
  readonly #options: SessionOptions;
  readonly #abort = new AbortController();
  readonly #batches: Batch[] = [];
  readonly #running: Promise<unknown>;
  moves = 0;

  constructor(world: TwoShores, options: SessionOptions) {
    this.#world = world;
    this.#options = options;
    this.#running = Promise.all([this.#feed(), this.#deliver(), this.#drain()]);
  }

  async end(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #feed(): Promise<void> {
    const { feed, replica } = this.#options;
    const held = {
      position: replica.state.position(),
      versions: async () => {
        this.#world.versionsAsked++;
        const versions = new Map(replica.state.versions());
        await this.#travel();
        return versions;
      },
    };
    const send = async (changes: readonly StateChange[], position: Uint8Array, isCurrent = false) => {
      this.#world.batchesDown++;
      for (const change of changes) if ('bytes' in change) this.#world.bytesDown += change.bytes.length;
      this.#batches.push({ changes, position, isCurrent });
    };
    await feed(NODE, held, { send, current: (position) => send([], position, true) }, this.#abort.signal);
  }

  async #deliver(): Promise<void> {
    while (await this.#travel()) {
      const batch = this.#batches.shift();
      if (batch === undefined) continue;
      this.moves++;
      await this.#options.replica.state.apply(batch.changes, batch.position);
      if (batch.isCurrent) this.#options.replica.state.onCurrent();
    }
  }

  async #drain(): Promise<void> {
    const { sink, replica } = this.#options;
    let sent = 0;
    while (await this.#travel()) {
      const entries = replica.outbox.read(sent, SMALL_BATCH);
      const last = entries.at(-1);
      if (last === undefined || !(await this.#travel())) continue;
      this.moves++;
      await sink(NODE, entries);
      sent = last.seq;
      // The acknowledgement may be lost, or be faster or slower than the state.
      if (await this.#travel()) replica.outbox.acknowledge(last.seq);
    }
  }

  /** At least one turn; false when the session has ended meanwhile. */
  async #travel(): Promise<boolean> {
    for (let turns = 1 + this.#options.delay(); turns > 0 && !this.#abort.signal.aborted; turns--) await nextTurn();
    return !this.#abort.signal.aborted;
  }
}

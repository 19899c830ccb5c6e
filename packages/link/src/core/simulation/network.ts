/** A network of paths for tests: in order within a path, in any order across paths, with cuts and silences. */

export type Side = 'edge' | 'hub';

export interface Endpoint {
  onOpen(path: number): void;
  onMessage(path: number, bytes: Uint8Array): void;
  onClosed(path: number, reason: string): void;
  onWritten(path: number, bytes: number): void;
}

interface Travelling {
  readonly due: number;
  readonly bytes: Uint8Array | undefined;
}

interface SimulatedPath {
  readonly id: number;
  /** Its own delay, so that one path may overtake another. */
  readonly delayMs: number;
  readonly queues: Record<Side, Travelling[]>;
  /** When what was sent to a side has passed the narrowest place. */
  readonly freeAt: Record<Side, number>;
  readonly isOpen: Record<Side, boolean>;
  isSilent: boolean;
}

const other = (side: Side): Side => (side === 'edge' ? 'hub' : 'edge');

export class Network {
  now = 0;
  isDown = false;
  /** Bytes given to paths so far by each side: what would be WebSocket payload. */
  readonly sent: Record<Side, number> = { edge: 0, hub: 0 };
  /** What a path carries each way; senders may give more, which waits in some buffer on the way. */
  bytesPerMs = Number.POSITIVE_INFINITY;
  /** Of each path; by default each has its own. */
  delayMs: number | undefined;
  readonly #paths = new Map<number, SimulatedPath>();
  readonly #ends: Partial<Record<Side, Endpoint>> = {};
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  get bytes(): number {
    return this.sent.edge + this.sent.hub;
  }

  attach(side: Side, end: Endpoint): void {
    this.#ends[side] = end;
  }

  get pathIds(): readonly number[] {
    return [...this.#paths.keys()];
  }

  dial(id: number): void {
    const path: SimulatedPath = {
      id,
      delayMs: this.delayMs ?? 1 + Math.floor(this.#random() * 80),
      queues: { edge: [], hub: [] },
      freeAt: { edge: 0, hub: 0 },
      isOpen: { edge: true, hub: true },
      isSilent: false,
    };
    if (this.isDown) {
      path.isOpen.hub = false;
      path.queues.edge.push({ due: this.now + 1, bytes: undefined });
    }
    this.#paths.set(id, path);
    if (!this.isDown) this.#ends.edge?.onOpen(id);
  }

  write(from: Side, id: number, bytes: Uint8Array): void {
    const path = this.#paths.get(id);
    if (path === undefined || !path.isOpen[from]) return;
    this.sent[from] += bytes.length;
    const to = other(from);
    path.freeAt[to] = Math.max(this.now, path.freeAt[to]) + bytes.length / this.bytesPerMs;
    // A copy, since the other side must see what was sent, not what the sender's buffer becomes.
    path.queues[to].push({ due: Math.ceil(path.freeAt[to]) + path.delayMs, bytes: bytes.slice() });
    this.#ends[from]?.onWritten(id, bytes.length);
  }

  close(from: Side, id: number): void {
    const path = this.#paths.get(id);
    if (path === undefined) return;
    path.isOpen[from] = false;
    path.queues[from] = [];
    path.queues[other(from)].push({ due: this.now + path.delayMs, bytes: undefined });
  }

  /** Both ends see the path close, and what was on its way is lost. */
  cut(id: number): void {
    const path = this.#paths.get(id);
    if (path === undefined) return;
    for (const side of ['edge', 'hub'] as const) {
      const keep = Math.floor(this.#random() * (path.queues[side].length + 1));
      path.queues[side].splice(keep);
      path.queues[side].push({ due: this.now + Math.floor(this.#random() * 50), bytes: undefined });
    }
  }

  /** Nothing arrives any more, and nobody is told. */
  silence(id: number): void {
    const path = this.#paths.get(id);
    if (path !== undefined) path.isSilent = true;
  }

  /** A side lost its process: its kernel closes its sockets. */
  crash(side: Side): void {
    for (const id of this.pathIds) this.close(side, id);
  }

  /** When something is due next. */
  deadline(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { queues } of this.#paths.values()) {
      next = Math.min(next, queues.edge[0]?.due ?? next, queues.hub[0]?.due ?? next);
    }
    return next;
  }

  /** Delivers what is due now; true when something was. */
  deliver(): boolean {
    let delivered = false;
    for (const path of this.#paths.values()) {
      for (const side of ['edge', 'hub'] as const) {
        while (this.#deliverNext(path, side)) delivered = true;
      }
      if (!path.isOpen.edge && !path.isOpen.hub) this.#paths.delete(path.id);
    }
    return delivered;
  }

  #deliverNext(path: SimulatedPath, side: Side): boolean {
    const [next] = path.queues[side];
    if (next === undefined || next.due > this.now) return false;
    path.queues[side].shift();
    if (path.isSilent || !path.isOpen[side]) return true;
    if (next.bytes !== undefined) {
      this.#ends[side]?.onMessage(path.id, next.bytes);
      return true;
    }
    path.isOpen[side] = false;
    path.queues[side] = [];
    this.#ends[side]?.onClosed(path.id, 'cut');
    return true;
  }
}

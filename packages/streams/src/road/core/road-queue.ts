/**
 * The blocks of one route, in the order of their numbers, and where each is. What goes as soon as it comes is `live`; what could not
 * is `late`, and every late number is below every live one. So three numbers say which blocks the cloud has.
 */
import type { QueueStatus, RouteSettings } from '../contract.ts';
import type { Lane, Position } from '../wire/messages.ts';
import { Budget } from './budget.ts';
import { Line } from './line.ts';

export interface Entry {
  readonly number: number;
  /** When it was put on disk, by the clock. */
  readonly at: number;
  /** And by the file's own time, which no clock that is set changes. */
  readonly ranAt: number;
  readonly rows: number;
  readonly size: number;
}

export interface KnownQueue {
  readonly id: number;
  readonly name: string;
  readonly token: Uint8Array;
  readonly settings: RouteSettings;
  /** By number. */
  readonly entries: readonly Entry[];
  /** The highest number that an earlier process can have sent. */
  readonly last: number;
}

/** A live value that could not leave for so long waits among the late ones. */
const LIVE_FOR_MS = 2000;
/** More blocks than this are more than an index in memory should hold. */
const MAX_BLOCKS = 200_000;

/** Blocks that wait are put together: so many of them, or fewer when no more fit and half of a large block is full. */
const MERGED_BLOCKS = 16;
const MERGED_ROWS = 65_536;
const MERGED_BYTES = 1024 * 1024;
const FEWEST_MERGED = 4;

export interface Surplus {
  readonly entry: Entry;
  readonly reason: 'QueueFull' | 'TooOld';
}

type Lines = Readonly<Record<Lane, Line<Entry>>>;

const newLines = (): Lines => ({ live: new Line(), late: new Line() });

export class RoadQueue {
  /** Of the queue's file. */
  readonly id: number;
  readonly name: string;
  /** Names the queue to the cloud; another one when the file turns out to be older than what the cloud knows. */
  token: Uint8Array;
  readonly budget: Budget;
  #settings: RouteSettings;
  readonly #waiting = newLines();
  readonly #sent = newLines();
  /** Blocks up to this one may have been sent in a session whose end nobody knows. */
  #unsureUpTo: number;
  /** What is above was never sent. */
  #sentUpTo: number;
  #bytes = 0;
  #blocks = 0;

  constructor(known: KnownQueue) {
    this.id = known.id;
    this.name = known.name;
    this.token = known.token;
    this.#settings = known.settings;
    this.budget = new Budget(known.settings);
    this.#sentUpTo = known.last;
    this.#unsureUpTo = known.entries.at(-1)?.number ?? 0;
    for (const entry of known.entries) this.add(entry);
  }

  get settings(): RouteSettings {
    return this.#settings;
  }

  set settings(settings: RouteSettings) {
    this.#settings = settings;
    this.budget.rates = settings;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get blocks(): number {
    return this.#blocks;
  }

  add(entry: Entry): void {
    this.#waiting.live.push(entry);
    this.#count(entry, 1);
  }

  /** The next of a lane that was not sent in this session. */
  next(lane: Lane): Entry | undefined {
    return this.#waiting[lane].first;
  }

  hasSent(lane: Lane): boolean {
    return this.#sent[lane].size > 0;
  }

  /** The next one goes. */
  send(lane: Lane): void {
    const entry = this.#waiting[lane].shift();
    if (entry === undefined) return;
    this.#sent[lane].push(entry);
    this.#sentUpTo = Math.max(this.#sentUpTo, entry.number);
  }

  /** The next one is no longer here. */
  drop(lane: Lane): void {
    const entry = this.#waiting[lane].shift();
    if (entry !== undefined) this.#count(entry, -1);
  }

  /** Takes out what the cloud has, up to the number. */
  takeAcknowledged(lane: Lane, number: number): readonly Entry[] {
    const sent = this.#sent[lane];
    const taken: Entry[] = [];
    for (let entry = sent.first; entry !== undefined && entry.number <= number; entry = sent.first) {
      sent.shift();
      taken.push(entry);
      this.#count(entry, -1);
    }
    return taken;
  }

  /** The session is over: whether what was sent has come, the cloud says when the next one begins. */
  onSessionEnd(): void {
    const numberOf = (lane: Lane) => this.#sent[lane].last?.number ?? 0;
    this.#unsureUpTo = Math.max(this.#unsureUpTo, numberOf('live'), numberOf('late'));
    this.#line([...this.#all()]);
  }

  /** The cloud has blocks that were never sent from here: the file is a copy of an earlier time, which gives their numbers again. */
  isAheadOfUs({ late, liveFrom, live }: Position): boolean {
    return Math.max(late, live >= liveFrom ? live : 0) > this.#sentUpTo;
  }

  /** The cloud has said how far it is, and nothing of an earlier session can still come. Takes out what is there. */
  takeArrived({ late, liveFrom, live }: Position, now: number): readonly Entry[] {
    const arrived: Entry[] = [];
    const left: Entry[] = [];
    for (const entry of this.#all()) {
      const { number } = entry;
      const isThere = number <= late || (number >= liveFrom && number <= live);
      (isThere ? arrived : left).push(entry);
    }
    for (const entry of arrived) this.#count(entry, -1);
    this.#unsureUpTo = 0;
    this.#line(left);
    this.setAside(now);
    return arrived;
  }

  /** Whether live blocks wait for too long. Those from ahead of the clock are of before it was set back. */
  isBehind(now: number): boolean {
    const next = this.next('live');
    return this.#settings.priority !== 'Alarms' && next !== undefined && Math.abs(now - next.at) > LIVE_FOR_MS;
  }

  /** What is old by now becomes late. Nothing live may be on its way. */
  setAside(now: number): void {
    if (this.#settings.priority === 'Alarms') return;
    const { live, late } = this.#waiting;
    for (
      let entry = live.first;
      entry !== undefined && Math.abs(now - entry.at) > LIVE_FOR_MS / 2;
      entry = live.first
    ) {
      live.shift();
      late.push(entry);
    }
  }

  /** Where the live blocks begin; `last` is the highest number that was ever given. */
  liveFrom(last: number): number {
    return this.next('live')?.number ?? last + 1;
  }

  /** The oldest that waits, when the bounds are passed at this time of the file's own. Nothing that is on its way is dropped. */
  surplus(runTime: number): (Surplus & { readonly lane: Lane }) | undefined {
    const { maxBytes, maxAgeMs } = this.#settings;
    const lane = this.next('late') === undefined ? 'live' : 'late';
    const entry = this.next(lane);
    if (entry === undefined) return undefined;
    if (this.#bytes > maxBytes || this.#blocks > MAX_BLOCKS) return { lane, entry, reason: 'QueueFull' };
    return runTime - entry.ranAt > maxAgeMs ? { lane, entry, reason: 'TooOld' } : undefined;
  }

  /**
   * The newest blocks when they are many small ones: few large blocks wait better and travel better. Only such as were never sent,
   * since a block that may have come must stay itself.
   */
  mergeable(): readonly Entry[] | undefined {
    const newest = this.#waiting.live.tail(MERGED_BLOCKS);
    let [count, rows, bytes] = [0, 0, 0];
    for (const entry of newest.toReversed()) {
      const isTooMuch = rows + entry.rows > MERGED_ROWS || bytes + entry.size > MERGED_BYTES;
      if (isTooMuch || entry.number <= this.#unsureUpTo) break;
      count++;
      rows += entry.rows;
      bytes += entry.size;
    }
    const isWorthIt = count === MERGED_BLOCKS || (count >= FEWEST_MERGED && rows >= MERGED_ROWS / 2);
    return isWorthIt ? newest.slice(-count) : undefined;
  }

  /** The newest blocks are one now: it is as old as the oldest of them, and has the number of the newest. */
  merge(merged: readonly Entry[], into: Pick<Entry, 'rows' | 'size'>): void {
    this.#waiting.live.dropTail(merged.length);
    for (const entry of merged) this.#count(entry, -1);
    this.add({ ...into, ...mergedEntry(merged) });
  }

  status(lane: Lane): QueueStatus {
    let [rows, bytes, oldest] = [0, 0, Number.POSITIVE_INFINITY];
    const lines = [this.#sent[lane], this.#waiting[lane]];
    for (const entry of lines.flatMap((line) => [...line])) {
      rows += entry.rows;
      bytes += entry.size;
      oldest = Math.min(oldest, entry.at);
    }
    const blocks = lines.reduce((sum, { size }) => sum + size, 0);
    return { blocks, rows, bytes, ...(blocks === 0 ? {} : { oldest }) };
  }

  /** By number. */
  *#all(): Generator<Entry> {
    for (const lane of ['late', 'live'] as const) {
      yield* this.#sent[lane];
      yield* this.#waiting[lane];
    }
  }

  #line(entries: readonly Entry[]): void {
    for (const line of [this.#waiting, this.#sent].flatMap(({ live, late }) => [live, late])) line.clear();
    for (const entry of entries) this.#waiting.live.push(entry);
  }

  #count({ size }: Entry, sign: 1 | -1): void {
    this.#bytes += sign * size;
    this.#blocks += sign;
  }
}

export function mergedEntry(merged: readonly Entry[]): Pick<Entry, 'number' | 'at' | 'ranAt'> {
  const [{ at, ranAt } = { at: 0, ranAt: 0 }] = merged;
  return { number: merged.at(-1)?.number ?? 0, at, ranAt };
}

/** Points that are read together, in as few requests as the device allows. */
import { Fn } from '../../../modbus/functions.ts';
import * as requests from '../../../modbus/requests.ts';
import { ValueError } from '../../../values/value.ts';
import type { Point, ReadGroup, SampleSink } from '../../driver.ts';
import { DriverError, driverErrorOf, isDriverError } from '../../driver-error.ts';
import type { Conversation } from './conversation.ts';
import { type Block, type Piece, planReads, type ReadLimits, type Span, splitBlock } from './plan-reads.ts';
import { accessOf, type PointAccess } from './points.ts';

export interface ReadGroupOptions {
  readonly conversation: Conversation;
  readonly unit: number;
  readonly limits: ReadLimits;
  /** Requests that are asked for at once. */
  readonly lanes: number;
}

type TableAccess = Extract<PointAccess, { kind: 'table' }>;
type OwnAccess = Extract<PointAccess, { kind: 'own' }>;

/** What is left to do in one reading: requests for blocks and for single points. */
type Job = { readonly block: Block } | { readonly point: number; readonly access: OwnAccess };

export class ModbusReadGroup implements ReadGroup {
  readonly #options: ReadGroupOptions;
  readonly #tables = new Map<number, TableAccess>();
  readonly #own: Job[] = [];
  readonly #bad = new Map<number, DriverError>();
  #blocks: readonly Block[];

  constructor(points: readonly Point[], options: ReadGroupOptions) {
    this.#options = options;
    for (const [index, point] of points.entries()) {
      try {
        const access = accessOf(point, options.unit);
        if (access.kind === 'table') this.#tables.set(index, access);
        else this.#own.push({ point: index, access });
      } catch (error) {
        this.#bad.set(index, driverErrorOf(error));
      }
    }
    const [indices, spans]: [number[], Span[]] = [[...this.#tables.keys()], []];
    for (const { span } of this.#tables.values()) spans.push(span);
    const planned = planReads(spans, options.limits);
    // The planner counts spans; here it is points that are told.
    this.#blocks = planned.map((block) => ({
      ...block,
      pieces: block.pieces.map((piece) => ({ ...piece, span: indices[piece.span] ?? 0 })),
    }));
  }

  async read(sink: SampleSink, signal: AbortSignal): Promise<void> {
    for (const [index, error] of this.#bad) sink.fail(index, error);
    const jobs: Job[] = [...this.#blocks.map((block) => ({ block })), ...this.#own];
    if (jobs.length === 0) return;
    await this.#options.conversation.run(signal, async (owner) =>
      new Reading(this.#tables, sink).run(jobs, this.#doer(owner)),
    );
  }

  /** What the device has refused as a whole is from now on asked for in its parts. */
  #doer(owner: object): JobDoer {
    const { conversation, lanes } = this.#options;
    return {
      lanes,
      readBlock: ({ unit, code, address, count }) => conversation.ask(owner, unit, requests.read(code, address, count)),
      readOwn: ({ unit, request }) => conversation.ask(owner, unit, request),
      onSplit: (block, halves) => {
        this.#blocks = this.#blocks.flatMap((each) => (each === block ? halves : [each]));
      },
    };
  }
}

interface JobDoer {
  readonly lanes: number;
  readBlock(block: Block): Promise<Uint8Array>;
  readOwn(access: OwnAccess): Promise<Uint8Array>;
  onSplit(block: Block, halves: readonly [Block, Block]): void;
}

/** One turn of a group: ends early when the device has fallen silent, so that a dead one costs one timeout and not hundreds. */
class Reading {
  readonly #tables: ReadonlyMap<number, TableAccess>;
  readonly #sink: SampleSink;
  /** Of points that are longer than a request. */
  readonly #parts = new Map<number, { readonly data: Uint8Array; missing: number }>();
  readonly #failed = new Set<number>();
  #hasAnswer = false;
  #lost: DriverError | undefined;

  constructor(tables: ReadonlyMap<number, TableAccess>, sink: SampleSink) {
    this.#tables = tables;
    this.#sink = sink;
  }

  async run(jobs: Job[], doer: JobDoer): Promise<void> {
    const queue = [...jobs];
    const lane = async () => {
      for (let job = queue.shift(); job !== undefined && this.#lost === undefined; job = queue.shift())
        if (!(await this.#do(job, queue, doer))) queue.unshift(job);
    };
    await Promise.all(Array.from({ length: Math.min(doer.lanes, jobs.length) }, lane));
    if (this.#lost === undefined) return;
    if (!this.#hasAnswer) throw this.#lost;
    for (const job of queue) this.#failJob(job, this.#lost);
  }

  /** False when the device is lost, and the job with it. */
  async #do(job: Job, queue: Job[], doer: JobDoer): Promise<boolean> {
    try {
      if ('block' in job) this.#tellBlock(job.block, await doer.readBlock(job.block));
      else this.#tell(job.point, await doer.readOwn(job.access), job.access.read);
      this.#hasAnswer = true;
      return true;
    } catch (thrown) {
      const error = driverErrorOf(thrown);
      if (isLoss(error)) {
        this.#lost ??= error;
        return false;
      }
      this.#hasAnswer = true;
      const halves = 'block' in job && isDriverError(error, 'NotFound', 'Rejected') ? splitBlock(job.block) : undefined;
      if (halves === undefined || !('block' in job)) {
        this.#failJob(job, error);
        return true;
      }
      doer.onSplit(job.block, halves);
      queue.unshift({ block: halves[0] }, { block: halves[1] });
      return true;
    }
  }

  #tellBlock({ code, address, pieces }: Block, data: Uint8Array): void {
    const areBits = code <= Fn.readDiscreteInputs;
    for (const piece of pieces) {
      const at = piece.address - address;
      const part = areBits ? bitsOf(data, at, piece.count) : data.subarray(at * 2, (at + piece.count) * 2);
      this.#tellPiece(piece, part, areBits);
    }
  }

  #tellPiece(piece: Piece, part: Uint8Array, areBits: boolean): void {
    const access = this.#tables.get(piece.span);
    if (access === undefined) return;
    const { count } = access.span;
    if (piece.count === count) {
      this.#tell(piece.span, part, access.read);
      return;
    }
    const known = this.#parts.get(piece.span) ?? { data: new Uint8Array(areBits ? count : count * 2), missing: count };
    this.#parts.set(piece.span, known);
    known.data.set(part, areBits ? piece.from : piece.from * 2);
    known.missing -= piece.count;
    if (known.missing === 0 && !this.#failed.has(piece.span)) this.#tell(piece.span, known.data, access.read);
  }

  #tell(index: number, bytes: Uint8Array, read: OwnAccess['read']): void {
    try {
      this.#sink.value(index, read(bytes));
    } catch (cause) {
      if (!(cause instanceof ValueError)) throw cause;
      this.#fail(index, new DriverError('Malformed', `the value ${cause.message}`, { cause }));
    }
  }

  #failJob(job: Job, error: DriverError): void {
    if ('block' in job) for (const { span } of job.block.pieces) this.#fail(span, error);
    else this.#fail(job.point, error);
  }

  #fail(index: number, error: DriverError): void {
    if (this.#failed.has(index)) return;
    this.#failed.add(index);
    this.#sink.fail(index, error);
  }
}

/** Nothing more will come in this reading. */
function isLoss(error: DriverError): boolean {
  return isDriverError(error, 'Unreachable', 'TimedOut', 'Malformed', 'Closed', 'Busy');
}

function bitsOf(data: Uint8Array, from: number, count: number): Uint8Array {
  return Uint8Array.from(
    { length: count },
    (_, index) => ((data[(from + index) >> 3] ?? 0) >> ((from + index) & 7)) & 1,
  );
}

/** The control loops of this node: each by a runner that is replaced when its spec changes. */
import { isStatus } from '@skerry/api';
import { messageOf } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import { type ControllerSpec, type Informer, keyOf, parseObjectKey, watching } from '@skerry/kube/controller';
import { compileLoop, LoopError, type LoopProgram } from '../../control/program.ts';
import type { ControlLoop, ControlLoopStatus } from '../../resources/control-loop.ts';
import { CONTROL_LOOPS } from '../../resources/group.ts';
import { type LoopContext, LoopRunner } from './loop-runner.ts';

export interface LoopsOptions extends LoopContext {
  readonly node: string;
  readonly client: Client;
  readonly loops: Informer<ControlLoop>;
}

export interface ControlLoops {
  readonly spec: ControllerSpec;
  /** Starts the loops that are there already. Before it resolves, no device may be driven past their interlocks. */
  begin(): Promise<void>;
  /** Writes statuses until the signal aborts. */
  tell(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** How often it is looked whether a status says something new. */
const LOOK_MS = 1000;
/** Counts and jitter alone are told so often. */
const NUMBERS_MS = 30_000;

export function createControlLoops(options: LoopsOptions): ControlLoops {
  return new NodeLoops(options);
}

interface Entry {
  readonly madeOf: string;
  readonly runner?: LoopRunner;
  readonly status: () => ControlLoopStatus;
  told: string;
  toldAt: number;
}

class NodeLoops implements ControlLoops {
  readonly spec: ControllerSpec;
  readonly #options: LoopsOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: LoopsOptions) {
    this.#options = options;
    this.spec = {
      name: 'control-loops',
      watches: [watching(options.loops, ({ object }) => [keyOf(object)])],
      reconcile: async (key) => {
        await this.#reconcile(key);
        return undefined;
      },
    };
  }

  async begin(): Promise<void> {
    const { loops } = this.#options;
    await loops.synced;
    // What fails here the controller tries again.
    await Promise.allSettled(loops.cache.list().map((loop) => this.#reconcile(keyOf(loop))));
  }

  async tell(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      await Promise.all([...this.#entries].map(([key, entry]) => this.#tellOne(key, entry, signal)));
      await clock.sleep(LOOK_MS, signal).catch(() => {});
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#entries.values()].map(async ({ runner }) => runner?.stop()));
    this.#entries.clear();
  }

  async #reconcile(key: string): Promise<void> {
    const { loops, node } = this.#options;
    const loop = loops.cache.get(key);
    // One node closes a loop, as one drives a device.
    const isOurs = loop?.status?.nodes?.[0] === node;
    const madeOf = isOurs ? JSON.stringify(loop.spec) : '';
    const known = this.#entries.get(key);
    if (known?.madeOf === madeOf) return;
    this.#entries.delete(key);
    // Nothing is waited for where nothing ends: two who look at once then open one runner.
    if (known?.runner !== undefined) await known.runner.stop();
    if (isOurs)
      this.#entries.set(key, { ...this.#open(key, loop), madeOf, told: '', toldAt: Number.NEGATIVE_INFINITY });
    known?.runner?.release();
  }

  #open(key: string, { spec, metadata }: ControlLoop): Pick<Entry, 'runner' | 'status'> {
    const observedGeneration = metadata.generation ?? 0;
    const resting = (status: ControlLoopStatus) => ({ status: () => ({ observedGeneration, ...status }) });
    if (spec.enabled === false) return resting({ state: 'Disabled', lastError: '' });
    const program = compiled(spec);
    if (typeof program === 'string') return resting({ state: 'Failed', lastError: program });
    const { namespace, name } = parseObjectKey(key);
    const runner = new LoopRunner({ namespace, name }, program, this.#options);
    runner.start();
    return { runner, status: () => ({ observedGeneration, ...runner.status }) };
  }

  async #tellOne(key: string, entry: Entry, signal: AbortSignal): Promise<void> {
    const { client, clock, log } = this.#options;
    const status = entry.status();
    const {
      cycles: _cycles,
      overruns: _overruns,
      jitter: _jitter,
      lastActionTime: _time,
      lastAction,
      ...facts
    } = status;
    // What a PID writes changes with each cycle and is no news.
    const text = JSON.stringify([facts, lastAction?.startsWith('pid') === true ? 'pid' : lastAction]);
    const isNews =
      text !== entry.told || (entry.runner !== undefined && clock.monotonic() - entry.toldAt >= NUMBERS_MS);
    if (!isNews) return;
    try {
      await client.patch(
        { gvr: CONTROL_LOOPS, ...parseObjectKey(key) },
        { status },
        { type: 'merge', subresource: 'status', signal },
      );
      entry.told = text;
      entry.toldAt = clock.monotonic();
    } catch (error) {
      if (signal.aborted || isStatus(error, 'NotFound')) return;
      log.warn({ loop: key, error: messageOf(error) }, 'status of a control loop not written');
    }
  }
}

function compiled(spec: ControlLoop['spec']): LoopProgram | string {
  try {
    return compileLoop(spec);
  } catch (error) {
    if (error instanceof LoopError) return `${error.path} ${error.message}`;
    throw error;
  }
}

/** Short-lived processes beside a kept one: exec sessions and exec probes. They leave no record and die with their caller. */
import { rmSync } from 'node:fs';
import type { Clock } from '@skerry/base';
import { newNameSuffix } from '@skerry/base';
import { type Cgroups, groupOf } from './cgroup.ts';
import { errors } from './errors.ts';
import { type FifoPool, makeStreams } from './fifo.ts';
import { pinMountNamespace } from './identity.ts';
import { type Launched, launch } from './launch.ts';
import { killTree } from './process-tree.ts';
import type { FurtherCommand, LaunchSpec, RunResult } from './protocol.ts';
import type { RecordStore } from './records.ts';
import { handoverFile, type SelfCommand, withTerminal } from './tty.ts';

const MAX_RUNS = 512;

export interface RunnerOptions {
  readonly records: RecordStore;
  readonly fifos: FifoPool;
  readonly cgroups: Cgroups | undefined;
  readonly bootId: string;
  readonly clock: Clock;
  readonly self: SelfCommand;
  readonly launchBeside: (id: string, command: FurtherCommand) => LaunchSpec;
}

export interface Run extends Launched {
  /** Ends it, and what it started, and cleans up. Safe to call twice. */
  dispose(): Promise<void>;
}

export class Runner {
  readonly #options: RunnerOptions;
  #count = 0;

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /** Starts a command beside process `id`: in its sandbox, as its user, in its control group. */
  async start(id: string, command: FurtherCommand): Promise<Run> {
    const spec = this.#options.launchBeside(id, command);
    if (this.#count >= MAX_RUNS) throw errors.BUSY({ count: this.#count });
    const { records, fifos, cgroups, bootId, clock, self } = this.#options;
    // A run has a group of its own below nothing: it is killed alone, without the process it was run beside.
    const run = `run-${newNameSuffix(12)}`;
    const directory = records.makeDirectory(run);
    this.#count++;
    try {
      await makeStreams(fifos, directory, spec);
      const launched = spec.tty ? withTerminal(spec, handoverFile(run), self) : spec;
      const started = await launch(launched, { bootId, directory, clock, ...groupOf(cgroups, id) });
      return { ...started, dispose: this.#disposer(run, started) };
    } catch (error) {
      this.#count--;
      records.remove(run);
      throw error;
    }
  }

  /** Runs to the end, or to the timeout, and keeps the first bytes of what was printed. */
  async run(
    id: string,
    command: FurtherCommand,
    limits: { readonly timeoutMs: number; readonly maxOutputBytes: number },
  ): Promise<RunResult> {
    const run = await this.start(id, command);
    const chunks: Buffer[] = [];
    let size = 0;
    const collect = (chunk: Buffer) => {
      if (size < limits.maxOutputBytes) chunks.push(chunk);
      size += chunk.length;
    };
    const outputs = [run.streams.stdout, run.streams.stderr].filter((stream) => stream !== undefined);
    const ends = outputs.map(
      (stream) => new Promise<void>((resolve) => stream.on('data', collect).once('close', resolve)),
    );
    const cancelled = new AbortController();
    const timeout = this.#options.clock.sleep(limits.timeoutMs, cancelled.signal).then(
      () => undefined,
      () => undefined,
    );
    const code = await Promise.race([run.exited, timeout]);
    if (code !== undefined) await Promise.race([Promise.all(ends), timeout]);
    cancelled.abort();
    await run.dispose();
    const output = Buffer.concat(chunks).subarray(0, limits.maxOutputBytes).toString('utf8');
    return { exitCode: code ?? 137, output, timedOut: code === undefined };
  }

  #disposer(run: string, started: Launched): () => Promise<void> {
    const { records, clock } = this.#options;
    const namespace = started.monitor === undefined ? undefined : pinMountNamespace(started.main.pid);
    let disposed: Promise<void> | undefined;
    const dispose = async () => {
      // Without the group of the kept process: killing that would kill more than this run.
      const tree = { id: run, main: started.main, ...(namespace === undefined ? {} : { namespace }) };
      await killTree(tree, undefined, clock);
      namespace?.release();
      rmSync(handoverFile(run), { force: true });
      for (const stream of Object.values(started.streams)) stream.destroy();
      rmSync(records.directoryOf(run), { recursive: true, force: true });
      this.#count--;
    };
    return () => (disposed ??= dispose());
  }
}

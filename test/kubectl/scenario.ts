/** Lines of kubectl with what they must print: the language that the tables of `commands.test.ts` are written in. */
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { eventually, type KubectlVersion, kubectlPath, runToEnd, type TestCloud } from '@skerry/testkit/processes';

/** One command: the line after `kubectl`, and what must come of it. */
export interface Step {
  /** Words separated by blanks; single quotes keep blanks together. */
  readonly line: string;
  readonly out?: RegExp;
  readonly err?: RegExp;
  /** The exit code; 0 when absent. */
  readonly code?: number;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

export class Scenario {
  readonly version: KubectlVersion;
  readonly namespace: string;
  readonly #cloud: TestCloud;
  readonly #cwd: string;

  constructor(cloud: TestCloud, version: KubectlVersion, cwd: string) {
    this.version = version;
    this.namespace = `kubectl-${version.replace('.', '-')}`;
    this.#cloud = cloud;
    this.#cwd = cwd;
  }

  /** Runs the steps one after the other; each must end as it says. */
  async run(steps: readonly Step[]): Promise<void> {
    for (const step of steps) await this.#check(step);
  }

  async #check(step: Step): Promise<void> {
    const { code, stdout, stderr } = await this.#kubectl(step);
    const said = `kubectl ${this.version} ${step.line}\nexit ${code}\n${stdout}\n${stderr}`;
    assert.equal(code, step.code ?? 0, said);
    // Not assert.match, which would say all of it twice.
    if (step.out !== undefined) assert.ok(step.out.test(stdout), `${step.out} is not in: ${said}`);
    if (step.err !== undefined) assert.ok(step.err.test(stderr), `${step.err} is not in: ${said}`);
  }

  #kubectl({ line, input, env, timeoutMs }: Step) {
    return runToEnd(kubectlPath(this.version), [...this.#flags(), ...words(line)], {
      ...(input === undefined ? {} : { input }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      env: { FOLDER: this.#cwd, ...env },
    });
  }

  #flags(): readonly string[] {
    const { kubeconfig } = this.#cloud;
    return [`--kubeconfig=${kubeconfig}`, `--cache-dir=${kubeconfig}.cache-${this.version}`, '-n', this.namespace];
  }

  /** A command that goes on until the block ends: what it says can be waited for, and it can be written to. */
  start(line: string): RunningCommand {
    return new RunningCommand(spawn(kubectlPath(this.version), [...this.#flags(), ...words(line)]));
  }

  /** The same with a terminal of its own, 33 rows by 101 columns. */
  startOnTerminal(line: string): RunningCommand {
    const quoted = [kubectlPath(this.version), ...this.#flags(), ...words(line)].map(quote).join(' ');
    return new RunningCommand(spawn('script', ['-qec', `stty rows 33 cols 101; ${quoted}`, '/dev/null']));
  }
}

export class RunningCommand implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<number | null>;
  text = '';

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (this.text += chunk));
    child.stdin.on('error', () => {});
    this.#ended = new Promise((resolve) => child.once('close', resolve));
  }

  /** Waits until it has said something like this. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    try {
      return await eventually(`${pattern}`, () => pattern.exec(this.text) ?? undefined);
    } catch (cause) {
      throw new Error(`it said: ${this.text}`, { cause });
    }
  }

  write(text: string): void {
    this.#child.stdin.write(text);
  }

  /** Ends its input and resolves with its exit code. */
  async end(): Promise<number | null> {
    this.#child.stdin.end();
    return this.#ended;
  }

  /** Resolves with its exit code once it ends by itself. */
  ended(): Promise<number | null> {
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await this.#ended;
  }
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function words(line: string): readonly string[] {
  const found = line.match(/(?:[^\s']|'[^']*')+/g) ?? [];
  return found.map((word) => word.replaceAll("'", ''));
}

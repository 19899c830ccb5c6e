/** A real edge node in a temporary directory: agent, supervisor and pods as processes of this machine. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { type CommandResult, type KubectlOptions, kubectl, tryKubectl } from './kubectl.ts';
import { SkerryProcess } from './skerry-process.ts';
import type { TestCloud } from './test-cloud.ts';

export interface TestEdgeOptions {
  readonly name: string;
  readonly args?: readonly string[];
  /** Without it the node runs processes only, whatever this machine has. */
  readonly containerdSocket?: string;
  readonly dir?: string;
  /** Removes `dir` at the end all the same. */
  readonly ownsDir?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly wrapper?: readonly string[];
  readonly node?: readonly string[];
}

export class TestEdge implements AsyncDisposable {
  readonly name: string;
  readonly dir: string;
  /** For the node's own API. */
  readonly kubeconfig: string;
  readonly process: SkerryProcess;
  readonly #ownsDir: boolean;

  /** Joins the cloud and resolves once the agent serves its local API and the cloud knows the node. */
  static async join(cloud: TestCloud, options: TestEdgeOptions): Promise<TestEdge> {
    const token = await cloud.createToken(options.name);
    const edge = new TestEdge(options, { SKERRY_TOKEN: token });
    await edge.process.start();
    await eventually(`the node ${options.name}`, async () => {
      const { code } = await cloud.tryKubectl(['get', 'node', options.name]);
      return code === 0;
    });
    return edge;
  }

  /** One that has joined already, or brings its own token. */
  static async start(options: TestEdgeOptions): Promise<TestEdge> {
    const edge = new TestEdge(options);
    await edge.process.start();
    return edge;
  }

  constructor(options: TestEdgeOptions, env: Readonly<Record<string, string>> = {}) {
    const { name } = options;
    this.name = name;
    this.#ownsDir = options.ownsDir ?? options.dir === undefined;
    this.dir = options.dir ?? mkdtempSync(join(tmpdir(), 'skerry-edge-'));
    this.kubeconfig = join(this.dir, 'edge', name, 'kubeconfig');
    this.process = new SkerryProcess({
      bundle: 'edge',
      args: [
        '--data-dir',
        this.dir,
        '--node',
        name,
        '--containerd-socket',
        options.containerdSocket ?? join(this.dir, 'no-containerd'),
        // How full this machine's disk is, is no business of a test that does not ask.
        '--eviction-hard',
        '',
        ...(options.args ?? []),
      ],
      log: join(this.dir, 'edge.log'),
      env: { SKERRY_DATA_DIR: this.dir, SKERRY_KEY_DIR: `${this.dir}-keys`, ...options.env, ...env },
      ...(options.wrapper === undefined ? {} : { wrapper: options.wrapper }),
      ...(options.node === undefined ? {} : { node: options.node }),
    });
  }

  /** Runs kubectl against the node's own API. */
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<string> {
    return kubectl(this.kubeconfig, args, options);
  }

  tryKubectl(args: readonly string[], options?: KubectlOptions): Promise<CommandResult> {
    return tryKubectl(this.kubeconfig, args, options);
  }

  /** Ends the agent and, unlike a plain stop, its pods and its supervisor. */
  async stopWithPods(): Promise<void> {
    if (!this.process.isRunning) await this.process.start();
    this.process.send({ stop: 'with-pods' });
    await this.process.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopWithPods();
    if (!this.#ownsDir) return;
    rmSync(this.dir, { recursive: true, force: true });
    rmSync(`${this.dir}-keys`, { recursive: true, force: true });
  }
}

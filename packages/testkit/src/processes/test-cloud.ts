/** A real cloud in a temporary directory. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHECKOUT } from './checkout.ts';
import { type CommandResult, type KubectlOptions, kubectl, runToEnd, tryKubectl } from './kubectl.ts';
import { freePort, SkerryProcess } from './skerry-process.ts';

export interface TestCloudOptions {
  readonly args?: readonly string[];
  /** Where it serves images; without it, nowhere. */
  readonly registryListen?: string;
  readonly wrapper?: readonly string[];
  /** Instead of a temporary directory, which is removed at the end. */
  readonly dir?: string;
  /** Removes `dir` at the end all the same. */
  readonly ownsDir?: boolean;
  readonly host?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export class TestCloud implements AsyncDisposable {
  readonly dir: string;
  readonly keyDir: string;
  readonly kubeconfig: string;
  readonly server: string;
  readonly linkAddress: string;
  readonly process: SkerryProcess;
  readonly #ownsDir: boolean;

  /** Starts one on free ports of its own; stopping and starting keeps them. */
  static async start(options: TestCloudOptions = {}): Promise<TestCloud> {
    return TestCloud.startAt(options, [await freePort(), await freePort()]);
  }

  /** On these ports: the same cloud once more, in another time or from a backup. */
  static async startAt(options: TestCloudOptions, [port, linkPort]: readonly [number, number]): Promise<TestCloud> {
    const cloud = new TestCloud(options, port, linkPort);
    await cloud.process.start();
    return cloud;
  }

  constructor(options: TestCloudOptions, port: number, linkPort: number) {
    const host = options.host ?? '127.0.0.1';
    this.#ownsDir = options.ownsDir ?? options.dir === undefined;
    this.dir = options.dir ?? mkdtempSync(join(tmpdir(), 'skerry-cloud-'));
    this.keyDir = `${this.dir}-keys`;
    this.kubeconfig = join(this.dir, 'kubeconfig');
    this.server = `https://${host}:${port}`;
    this.linkAddress = `${host}:${linkPort}`;
    this.process = new SkerryProcess({
      bundle: 'cloud',
      args: [
        '--data-dir',
        this.dir,
        '--listen',
        `${host}:${port}`,
        '--link-listen',
        this.linkAddress,
        '--registry-listen',
        options.registryListen ?? 'none',
        ...(options.args ?? []),
      ],
      log: join(this.dir, 'cloud.log'),
      env: { SKERRY_DATA_DIR: this.dir, SKERRY_KEY_DIR: this.keyDir, ...options.env },
      ...(options.wrapper === undefined ? {} : { wrapper: options.wrapper }),
    });
  }

  /** Runs kubectl against this cloud as its administrator. */
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<string> {
    return kubectl(this.kubeconfig, args, options);
  }

  tryKubectl(args: readonly string[], options?: KubectlOptions): Promise<CommandResult> {
    return tryKubectl(this.kubeconfig, args, options);
  }

  /** An object, or a list, as kubectl gets it. */
  async get<T>(args: readonly string[]): Promise<T> {
    return JSON.parse(await this.kubectl(['get', ...args, '-o', 'json'])) as T;
  }

  apply(manifest: object): Promise<string> {
    return this.kubectl(['apply', '-f', '-'], { input: JSON.stringify(manifest) });
  }

  /** Runs the `skerry` command against this cloud. */
  skerry(args: readonly string[]): Promise<CommandResult> {
    const env = { SKERRY_DATA_DIR: this.dir, SKERRY_KEY_DIR: this.keyDir };
    return runToEnd(join(CHECKOUT, 'bin', 'skerry'), args, { env });
  }

  /** A token with which a node of this name can join. */
  async createToken(node: string, ...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.skerry([
      'token',
      'create',
      '--node',
      node,
      '--data-dir',
      this.dir,
      ...args,
    ]);
    if (code !== 0) throw new Error(`no token: ${stderr}`);
    return stdout.trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.stop();
    if (!this.#ownsDir) return;
    rmSync(this.dir, { recursive: true, force: true });
    rmSync(this.keyDir, { recursive: true, force: true });
  }
}

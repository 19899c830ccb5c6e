/** Running other programs from scripts: output passed through, or caught and shown only when it matters. */
import { spawn, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** An executable that npm installed. */
export function npmBin(name: string): string {
  return join(ROOT, 'node_modules', '.bin', name);
}

/** The environment for child processes: this Node first on the path, whoever started us. */
export function scriptEnv(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`, ...extra };
}

/** Runs to the end with the terminal's own input and output; the exit code is the answer. What outlasts `limitMs` is killed. */
export function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = scriptEnv(),
  limitMs?: number,
): number {
  const limit = limitMs === undefined ? {} : { timeout: limitMs, killSignal: 'SIGKILL' as const };
  const { status, signal } = spawnSync(command, args, { cwd: ROOT, stdio: 'inherit', env, ...limit });
  if (signal !== null)
    say(`${command} was ended by ${signal}${limitMs === undefined ? '' : ` (limit: ${limitMs / 60_000} min)`}`);
  return status ?? 1;
}

export interface Captured {
  readonly code: number;
  readonly output: string;
}

/** Runs to the end and keeps what was printed. */
export function capture(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = scriptEnv(),
): Promise<Captured> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], env });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', (error) => resolve({ code: 127, output: `${command}: ${error.message}\n` }));
    child.on('close', (code) => resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString() }));
  });
}

/** Says one sentence on standard error. */
export function say(sentence: string): void {
  process.stderr.write(`skerry: ${sentence}\n`);
}

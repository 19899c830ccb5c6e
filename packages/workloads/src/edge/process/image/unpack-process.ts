/** Has an image unpacked by a process of its own, so that hostile archives cost the agent neither memory nor time. */
import { spawn } from 'node:child_process';
import { imageErrors } from '../../../images/index.ts';
import type { UnpackJob, UnpackOutcome } from '../../../images/unpack/index.ts';

/** The answer of ours is a few hundred bytes. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** `command` starts the program that unpacks. Throws LAYER_REFUSED or UNPACK_FAILED. */
export async function unpackAside(command: readonly string[], job: UnpackJob, signal: AbortSignal): Promise<void> {
  const outcome = await outcomeOf(command, job, signal);
  if (outcome.result === 'unpacked') return;
  const { problem } = outcome;
  if (outcome.result === 'refused') throw imageErrors.LAYER_REFUSED({ digest: outcome.digest, problem });
  throw imageErrors.UNPACK_FAILED({ problem });
}

async function outcomeOf(command: readonly string[], job: UnpackJob, signal: AbortSignal): Promise<UnpackOutcome> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], signal, cwd: '/' });
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  child.stdin.on('error', () => {});
  child.stdin.end(JSON.stringify(job));
  const code = await new Promise<number | string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (exitCode, exitSignal) => resolve(exitCode ?? exitSignal ?? 'nothing'));
  });
  signal.throwIfAborted();
  if (code === 0) return JSON.parse(stdout()) as UnpackOutcome;
  return { result: 'failed', problem: `the process that unpacks ended with ${code}: ${stderr().trim().slice(-500)}` };
}

function collect(stream: NodeJS.ReadableStream): () => string {
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    if (text.length < MAX_ANSWER_BYTES) text += chunk.toString('utf8');
  });
  return () => text;
}

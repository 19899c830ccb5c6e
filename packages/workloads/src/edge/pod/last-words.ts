/** The termination message: what a container wrote to its file, or the end of its log when it failed without. */
import { open } from 'node:fs/promises';
import { parseLogLine } from '../streams/log-line.ts';
import type { Container } from './types.ts';

const MAX_MESSAGE_BYTES = 4096;
const MAX_LOG_MESSAGE_BYTES = 2048;
const MAX_LOG_MESSAGE_LINES = 80;
/** Enough of the log's end for the lines above with their heads. */
const LOG_TAIL_BYTES = 32 * 1024;

export async function readLastWords(
  container: Container,
  files: { readonly terminationLog: string; readonly log: string },
  exitCode: number,
): Promise<string> {
  const written = await readHead(files.terminationLog);
  if (written !== '') return written;
  if (container.terminationMessagePolicy !== 'FallbackToLogsOnError' || exitCode === 0) return '';
  const lines = (await readTail(files.log))
    .split('\n')
    .filter(Boolean)
    .map((line) => parseLogLine(line)?.text ?? '');
  const text = lines.slice(-MAX_LOG_MESSAGE_LINES).join('\n');
  return Buffer.from(text).subarray(-MAX_LOG_MESSAGE_BYTES).toString('utf8');
}

/** No more than what counts: the container decides how large its file grows. */
async function readHead(path: string): Promise<string> {
  try {
    await using file = await open(path, 'r');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_MESSAGE_BYTES), 0, MAX_MESSAGE_BYTES, 0);
    return buffer.subarray(0, bytesRead).toString('utf8');
  } catch {
    return '';
  }
}

async function readTail(path: string): Promise<string> {
  try {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    const start = Math.max(0, size - LOG_TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start);
    const text = buffer.subarray(0, bytesRead).toString('utf8');
    return start === 0 ? text : text.slice(text.indexOf('\n') + 1);
  } catch {
    return '';
  }
}

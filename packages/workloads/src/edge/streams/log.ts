/** `kubectl logs`: the lines of one container, chosen and formatted as asked. */
import type { Clock } from '@skerry/base';
import type { MessageStream, NodeStreamRequest } from '@skerry/kube/streaming';
import { readLines } from './log-files.ts';
import { type LogLine, parseLogLine } from './log-line.ts';

type LogRequest = Extract<NodeStreamRequest, { kind: 'log' }>;

const MAX_MESSAGE_BYTES = 32 * 1024;

export interface LogSource {
  readonly path: string;
  readonly clock: Clock;
  readonly isOver: () => boolean;
}

export async function sendLog(
  request: LogRequest,
  { path, clock, isOver }: LogSource,
  stream: MessageStream,
  signal: AbortSignal,
): Promise<void> {
  const since = sinceOf(request, clock.now());
  const format = formatter(request.timestamps === true);
  let left = request.limitBytes ?? Number.POSITIVE_INFINITY;
  const lines = readLines(path, {
    ...(request.tailLines === undefined ? {} : { tailLines: request.tailLines }),
    ...(request.follow ? { follow: { clock, signal, isOver } } : {}),
  });
  for await (const block of lines) {
    const parsed = block.map(parseLogLine).filter((line) => line !== undefined);
    const text = parsed
      .filter(({ time }) => since === undefined || Date.parse(time) >= since)
      .map(format)
      .join('');
    const bytes = Buffer.from(text);
    await sendPieces(stream, bytes.subarray(0, Math.min(bytes.length, left)));
    left -= bytes.length;
    if (left <= 0 || signal.aborted) return;
  }
}

function sinceOf({ sinceTime, sinceSeconds }: LogRequest, now: number): number | undefined {
  if (sinceTime !== undefined) return Date.parse(sinceTime);
  return sinceSeconds === undefined ? undefined : now - sinceSeconds * 1000;
}

/** A line that was cut for its length is put together again. */
function formatter(timestamps: boolean): (line: LogLine) => string {
  let isContinued = false;
  return ({ time, text, isPartial }) => {
    const head = timestamps && !isContinued ? `${time} ` : '';
    isContinued = isPartial;
    return `${head}${text}${isPartial ? '' : '\n'}`;
  };
}

async function sendPieces(stream: MessageStream, bytes: Buffer): Promise<void> {
  for (let start = 0; start < bytes.length; start += MAX_MESSAGE_BYTES) {
    await stream.send(bytes.subarray(start, start + MAX_MESSAGE_BYTES));
  }
}

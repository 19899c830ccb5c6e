/** `kubectl exec` and `attach`: a runtime session joined with a stream of channel messages. */
import { Channel, type MessageStream } from '@skerry/kube/streaming';
import type { RuntimeSession } from '../runtime.ts';

const MAX_PAYLOAD_BYTES = 32 * 1024 - 1;

export interface Wanted {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** Resolves when the process has ended and its client knows, or the client is gone. */
export async function joinSession(
  session: RuntimeSession,
  wanted: Wanted,
  stream: MessageStream,
  signal: AbortSignal,
): Promise<void> {
  const leave = () => session.close();
  signal.addEventListener('abort', leave, { once: true });
  stream.closed.then(leave, leave);
  feed(session, wanted, stream).catch(leave);
  try {
    for await (const { stream: name, chunk } of session.output) {
      if (wanted[name]) await sendOn(stream, Channel[name], chunk);
    }
    const code = await session.exitCode;
    if (code !== undefined) await sendOn(stream, Channel.error, Buffer.from(JSON.stringify(statusOf(code))));
    stream.end();
  } finally {
    signal.removeEventListener('abort', leave);
    session.close();
  }
}

async function feed(session: RuntimeSession, { stdin }: Wanted, stream: MessageStream): Promise<void> {
  for await (const message of stream.incoming) {
    const payload = message.subarray(1);
    switch (message[0]) {
      case Channel.stdin:
        if (stdin) await session.writeStdin(payload);
        break;
      case Channel.resize:
        resize(session, payload);
        break;
      case Channel.close:
        if (payload[0] === Channel.stdin) session.closeStdin();
        break;
      default:
        // Channels of later protocols are none of ours.
        break;
    }
  }
  // The client has said all it had to say.
  session.closeStdin();
}

function resize(session: RuntimeSession, payload: Uint8Array): void {
  const size = JSON.parse(Buffer.from(payload).toString('utf8')) as { Width?: unknown; Height?: unknown };
  if (typeof size.Width === 'number' && typeof size.Height === 'number') session.resize(size.Width, size.Height);
}

async function sendOn(stream: MessageStream, channel: number, bytes: Uint8Array): Promise<void> {
  for (let start = 0; start < bytes.length; start += MAX_PAYLOAD_BYTES) {
    await stream.send(Buffer.concat([Buffer.from([channel]), bytes.subarray(start, start + MAX_PAYLOAD_BYTES)]));
  }
}

/** How the exit code travels: as the Status that clients look for. */
function statusOf(code: number): object {
  if (code === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${code}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  };
}

/** The door as HTTP on the worker's socket: `POST /write` and `POST /call`, a JSON object each way. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isDriverError } from '../driver-error.ts';
import type { CommandRequest, DeviceDoor, WriteRequest } from './door.ts';

/** So much may be asked at once. */
const MAX_BODY_BYTES = 1024 * 1024;

export function answerAtDoor(door: DeviceDoor, request: IncomingMessage, response: ServerResponse): Promise<void> {
  return answerJson(request, response, (asked, signal) => {
    if (request.url === '/write' && isWriteRequest(asked)) return door.write(asked, signal);
    if (request.url === '/call' && isCommandRequest(asked)) return called(door.call(asked, signal));
    return undefined;
  });
}

async function called(output: ReturnType<DeviceDoor['call']>): Promise<object> {
  return { output: await output };
}

/** `answer` gives undefined for a body that is not what it is asked with; what it rejects with, a DriverError, is the answer as well. */
export async function answerJson(
  request: IncomingMessage,
  response: ServerResponse,
  answer: (asked: object, signal: AbortSignal) => Promise<object> | undefined,
): Promise<void> {
  const leaving = new AbortController();
  response.on('close', () => leaving.abort());
  try {
    const body = await bodyOf(request);
    const asked = body === undefined ? undefined : parse(body);
    const answered = asked === undefined ? undefined : answer(asked, leaving.signal);
    if (answered === undefined) respond(response, 400, { message: 'the body is not what this is asked with' });
    else respond(response, 200, await answered);
  } catch (error) {
    if (response.destroyed || leaving.signal.aborted) return;
    if (isDriverError(error)) respond(response, 200, { error: { kind: error.kind, message: error.message } });
    else respond(response, 500, { message: 'the door failed' });
  }
}

function respond(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isWriteRequest(asked: object): asked is WriteRequest {
  const { values, until = 'Confirmed' } = asked as Partial<WriteRequest>;
  return isAddressed(asked) && isRecord(values) && (until === 'Confirmed' || until === 'Acknowledged');
}

function isCommandRequest(asked: object): asked is CommandRequest {
  const { command, input } = asked as Partial<CommandRequest>;
  return isAddressed(asked) && typeof command === 'string' && isRecord(input);
}

function isAddressed(asked: object): boolean {
  const { namespace, device, by } = asked as Partial<WriteRequest>;
  return typeof namespace === 'string' && typeof device === 'string' && typeof by === 'string';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** One request to one device, within its time and size. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Clock } from '@skerry/base';
import type { DeviceSettings } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body?: string | undefined;
}

/** Resolves to the text of the answer; rejects with a DriverError. */
export async function ask(
  settings: DeviceSettings,
  { method, path, body }: Asked,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<string> {
  const { endpoint, timeoutMs, options } = settings;
  const late = new AbortController();
  const timer = clock.after(timeoutMs, () => late.abort());
  try {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const url = new URL(path, endpoint);
      const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
      const outgoing = send(url, {
        method,
        headers: headersOf(settings, body),
        signal: AbortSignal.any([signal, late.signal]),
        ...trustOf(settings),
      });
      outgoing.once('response', resolve).once('error', reject);
      outgoing.end(body);
    });
    return await textOf(answer, Number(options['maxAnswerBytes'] ?? 1_048_576));
  } catch (cause) {
    if (cause instanceof DriverError) throw cause;
    if (signal.aborted) throw new DriverError('Closed', 'the request was given up', { cause });
    if (late.signal.aborted)
      throw new DriverError('TimedOut', `no answer to ${path} within ${timeoutMs} ms`, { cause });
    const { code = 'failed' } = cause as NodeJS.ErrnoException;
    throw new DriverError('Unreachable', `${endpoint}: ${code}`, { cause });
  } finally {
    timer.cancel();
  }
}

function trustOf({ trust }: DeviceSettings): object {
  return trust === undefined ? {} : { ca: [...trust.trusted, ...trust.issuers] };
}

function headersOf({ options, secret }: DeviceSettings, body: string | undefined): Record<string, string> {
  const text = (key: string) => (secret[key] === undefined ? undefined : Buffer.from(secret[key]).toString('utf8'));
  const [token, username] = [text('token'), text('username')];
  const headers: Record<string, string> = { ...(options['headers'] as Readonly<Record<string, string>> | undefined) };
  if (body !== undefined) headers['content-type'] ??= 'application/json';
  if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
  else if (username !== undefined)
    headers['authorization'] = `Basic ${Buffer.from(`${username}:${text('password') ?? ''}`).toString('base64')}`;
  return headers;
}

async function textOf(answer: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new DriverError('Malformed', `the answer has more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  const { statusCode = 0 } = answer;
  if (statusCode >= 200 && statusCode < 300) return Buffer.concat(chunks).toString('utf8');
  const kind = { 401: 'AccessDenied', 403: 'AccessDenied', 404: 'NotFound' } as const;
  throw new DriverError(kind[statusCode as keyof typeof kind] ?? 'Rejected', `the device answered ${statusCode}`);
}

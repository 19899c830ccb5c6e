/** HTTP for probes and hooks: no certificate is verified, redirects are followed on the same host only, as a kubelet does it. */
import type { IncomingMessage } from 'node:http';
import { containerPort } from './container-port.ts';
import type { HandlerResult, HandlerTarget } from './handler-run.ts';
import type { HttpGetAction } from './types.ts';

/** An answer's body is read no further. */
const MAX_BODY_BYTES = 10 * 1024;
const MAX_REDIRECTS = 10;

/** What asks, as servers see it; a hook only wants to be heard, whatever the answer. */
export type HttpUse = 'probe' | 'hook';

interface Answer {
  readonly code: number;
  readonly location: string | undefined;
  readonly body: string;
}

export async function httpGet(
  action: HttpGetAction,
  target: HandlerTarget,
  { use, timeoutMs }: { readonly use: HttpUse; readonly timeoutMs: number },
): Promise<HandlerResult> {
  const signal = AbortSignal.any([target.signal, AbortSignal.timeout(Math.ceil(timeoutMs))]);
  const first = urlOf(action, target);
  try {
    let url = first;
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const answer = await ask(url, headersOf(action, use), signal);
      const next = redirectOf(answer, url);
      if (next === undefined || next.hostname !== first.hostname) return judge(answer, use);
      url = next;
    }
    return { ok: false, message: `Get "${first.href}": stopped after ${MAX_REDIRECTS} redirects` };
  } catch (error) {
    const cause = signal.aborted ? 'context deadline exceeded' : (error as Error).message;
    return { ok: false, message: `Get "${first.href}": ${cause}` };
  }
}

function urlOf({ host = '', port, path = '/', scheme }: HttpGetAction, { podIP, container }: HandlerTarget): URL {
  const name = host === '' ? podIP : host;
  const protocol = scheme?.toUpperCase() === 'HTTPS' ? 'https' : 'http';
  const address = name.includes(':') ? `[${name}]` : name;
  return new URL(
    `${protocol}://${address}:${containerPort(port, container)}${path.startsWith('/') ? path : `/${path}`}`,
  );
}

function headersOf({ httpHeaders = [] }: HttpGetAction, use: HttpUse): Record<string, string> {
  const agent = use === 'probe' ? 'kube-probe/1.36' : 'kube-lifecycle/1.36';
  const headers: Record<string, string> = { 'user-agent': agent, accept: '*/*', connection: 'close' };
  for (const { name, value } of httpHeaders) headers[name.toLowerCase()] = value;
  return headers;
}

function ask(url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<Answer> {
  // Through getBuiltinModule, since importing node:http as a module would load undici into the agent.
  const { request } =
    url.protocol === 'https:' ? process.getBuiltinModule('node:https') : process.getBuiltinModule('node:http');
  return new Promise((resolve, reject) => {
    const options = { headers, signal, agent: false, rejectUnauthorized: false } as const;
    const outgoing = request(url.href, options, (response) => {
      readBody(response).then((body) => {
        resolve({ code: response.statusCode ?? 0, location: response.headers.location, body });
      }, reject);
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_BODY_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES).toString('utf8');
}

function redirectOf({ code, location }: Answer, from: URL): URL | undefined {
  if (code < 300 || code >= 400 || location === undefined || !URL.canParse(location, from.href)) return undefined;
  return new URL(location, from);
}

function judge({ code, body }: Answer, use: HttpUse): HandlerResult {
  if (use === 'hook') return { ok: true, message: '' };
  if (code < 200 || code >= 400) return { ok: false, message: `HTTP probe failed with statuscode: ${code}` };
  if (code < 300) return { ok: true, message: '' };
  return { ok: true, message: '', warning: `Probe terminated redirects, Response body: ${body}` };
}

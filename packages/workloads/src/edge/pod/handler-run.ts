/** Performs what probes and hooks ask for: a command, an HTTP request, a connection, a gRPC health check, a pause. */
import { connect } from 'node:net';
import type { Clock } from '@skerry/base';
import { messageOf } from '@skerry/base';
import type { PodRuntime } from '../runtime.ts';
import type { Container, Handler, HttpGetAction } from './types.ts';

export interface HandlerTarget {
  readonly runtime: PodRuntime;
  readonly clock: Clock;
  readonly containerId: string;
  readonly container: Container;
  readonly podIP: string;
  readonly signal: AbortSignal;
}

export interface HandlerResult {
  readonly ok: boolean;
  /** What went wrong, in a kubelet's words. */
  readonly message: string;
}

/** An answer's body is read no further. */
const MAX_BODY_BYTES = 10 * 1024;

export async function runHandler(handler: Handler, target: HandlerTarget, timeoutMs: number): Promise<HandlerResult> {
  try {
    if (handler.exec !== undefined) return await runCommand(handler.exec.command ?? [], target, timeoutMs);
    if (handler.httpGet !== undefined) return await httpGet(handler.httpGet, target, timeoutMs);
    if (handler.tcpSocket !== undefined) return await tcpConnect(handler.tcpSocket, target, timeoutMs);
    if (handler.grpc !== undefined) {
      const { checkHealth } = await import('./grpc-health.ts');
      return await checkHealth(`${target.podIP}:${handler.grpc.port}`, handler.grpc.service ?? '', timeoutMs);
    }
    if (handler.sleep !== undefined) await target.clock.sleep(handler.sleep.seconds * 1000, target.signal);
    return { ok: true, message: '' };
  } catch (error) {
    return { ok: false, message: messageOf(error) };
  }
}

async function runCommand(
  command: readonly string[],
  { runtime, containerId }: HandlerTarget,
  timeoutMs: number,
): Promise<HandlerResult> {
  const { exitCode, output, timedOut } = await runtime.execSync(containerId, command, timeoutMs);
  if (timedOut)
    return { ok: false, message: `command timed out: ${JSON.stringify(command)} timed out after ${timeoutMs / 1000}s` };
  return { ok: exitCode === 0, message: output };
}

/** Never follows a redirect: an answer of 3xx counts as well, as it does for a kubelet probing another host. */
function httpGet(action: HttpGetAction, target: HandlerTarget, timeoutMs: number): Promise<HandlerResult> {
  const port = portOf(action.port, target.container);
  const isTls = action.scheme?.toUpperCase() === 'HTTPS';
  // Through getBuiltinModule, since importing node:http as a module would load undici into the agent.
  const { request } = isTls ? process.getBuiltinModule('node:https') : process.getBuiltinModule('node:http');
  const host = action.host || target.podIP;
  const url = `${isTls ? 'https' : 'http'}://${host}:${port}${action.path ?? '/'}`;
  const headers: Record<string, string> = { 'User-Agent': 'kube-probe/1.36', Accept: '*/*', Connection: 'close' };
  for (const { name, value } of action.httpHeaders ?? []) headers[name] = value;
  return new Promise((resolve) => {
    const fail = (cause: string) => resolve({ ok: false, message: `Get "${url}": ${cause}` });
    const signal = AbortSignal.any([target.signal, AbortSignal.timeout(timeoutMs)]);
    const path = action.path?.startsWith('/') ? action.path : `/${action.path ?? ''}`;
    const outgoing = request({ host, port, path, headers, signal, agent: false }, (response) => {
      const code = response.statusCode ?? 0;
      let read = 0;
      response.on('data', (chunk: Buffer) => {
        read += chunk.length;
        if (read > MAX_BODY_BYTES) response.destroy();
      });
      response.on('error', () => {});
      const ok = code >= 200 && code < 400;
      resolve({ ok, message: ok ? '' : `HTTP probe failed with statuscode: ${code}` });
      response.resume();
    });
    outgoing.on('error', (error) => fail(error.name === 'AbortError' ? 'context deadline exceeded' : error.message));
    outgoing.end();
  });
}

function tcpConnect(
  action: { readonly host?: string; readonly port: number | string },
  target: HandlerTarget,
  timeoutMs: number,
): Promise<HandlerResult> {
  const host = action.host || target.podIP;
  const port = portOf(action.port, target.container);
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: timeoutMs });
    const end = (result: HandlerResult) => {
      socket.destroy();
      resolve(result);
    };
    socket.once('connect', () => end({ ok: true, message: '' }));
    socket.once('timeout', () => end({ ok: false, message: `dial tcp ${host}:${port}: i/o timeout` }));
    socket.once('error', (error) => end({ ok: false, message: `dial tcp ${host}:${port}: ${error.message}` }));
  });
}

function portOf(port: number | string, { ports = [] }: Container): number {
  if (typeof port === 'number') return port;
  if (/^\d+$/.test(port)) return Number(port);
  const named = ports.find(({ name }) => name === port);
  if (named === undefined) throw new Error(`couldn't find port: ${port}`);
  return named.containerPort;
}

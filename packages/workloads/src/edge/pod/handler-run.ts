/** Performs what probes and hooks ask for: a command, an HTTP request, a connection, a gRPC health check, a pause. */
import { connect } from 'node:net';
import type { Clock } from '@skerry/base';
import { messageOf } from '@skerry/base';
import type { PodRuntime } from '../runtime.ts';
import { containerPort } from './container-port.ts';
import { type HttpUse, httpGet } from './http-get.ts';
import type { Container, Handler } from './types.ts';

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
  /** It is well, and still something should be looked at. */
  readonly warning?: string;
}

export async function runHandler(
  handler: Handler,
  target: HandlerTarget,
  timeoutMs: number,
  use: HttpUse = 'hook',
): Promise<HandlerResult> {
  try {
    if (handler.exec !== undefined) return await runCommand(handler.exec.command ?? [], target, timeoutMs);
    if (handler.httpGet !== undefined) return await httpGet(handler.httpGet, target, { use, timeoutMs });
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

function tcpConnect(
  action: { readonly host?: string; readonly port: number | string },
  target: HandlerTarget,
  timeoutMs: number,
): Promise<HandlerResult> {
  const host = action.host || target.podIP;
  const port = containerPort(action.port, target.container);
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

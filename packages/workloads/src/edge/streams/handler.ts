/** Answers what the API server asks of this node: logs, exec, attach, port-forward, and its own endpoints. */
import { StatusError } from '@skerry/api';
import type { Clock } from '@skerry/base';
import type { MessageStream, NodeStreamHandler, NodeStreamRequest } from '@skerry/kube/streaming';
import { encodeReport, USAGE_PATH, type UsageReport } from '../../usage/report.ts';
import { readHostUsage } from '../node/host-usage.ts';
import type { ContainerEntry } from '../pod/container-entry.ts';
import type { NodePods } from '../pod/controller.ts';
import type { PodWorker } from '../pod/worker.ts';
import type { ContainerSnapshot, RuntimeSession } from '../runtime.ts';
import type { RuntimeSet } from '../runtime-set.ts';
import { joinSession } from './exec.ts';
import { isHostLog, sendHostLog } from './host-logs.ts';
import { sendLog } from './log.ts';
import { type Measured, prometheusText, summaryOf } from './metrics.ts';
import { forwardPort, joinPort } from './port-forward.ts';
import { usageWindow } from './usage-window.ts';

const MAX_MESSAGE_BYTES = 32 * 1024;

export interface NodeStreamOptions {
  readonly nodeName: string;
  readonly pods: NodePods;
  readonly runtimes: RuntimeSet;
  readonly clock: Clock;
  /** The directory whose file system the summary is about. */
  readonly directory: string;
  /** Appended to /metrics: what the agent counts itself. */
  readonly moreMetrics?: () => string;
}

export function createNodeStreamHandler(options: NodeStreamOptions): NodeStreamHandler {
  const usage = usageWindow({ measure: () => measure(options), clock: options.clock });
  return async (request, stream, signal) => {
    switch (request.kind) {
      case 'log':
        await answerLog(request, options, stream, signal);
        stream.end();
        return;
      case 'exec':
      case 'attach':
        return answerSession(request, options, stream, signal);
      case 'portforward': {
        const worker = findPod(request, options);
        const { runtime, uid } = worker;
        if (runtime.forward !== undefined) {
          return joinPort(await runtime.forward(uid, request.port), request.port, stream, signal);
        }
        return forwardPort(['127.0.0.1', '::1', ...worker.view().podIPs], request.port, stream, signal);
      }
      case 'get':
        if (isHostLog(request.path)) await sendHostLog(request.path, stream);
        else await sendText(stream, await answerGet(request.path, options, usage));
        stream.end();
        return;
      case 'post':
        throw new StatusError(404, 'NotFound', `this node takes nothing at ${request.path}`);
    }
  };
}

type LogRequest = Extract<NodeStreamRequest, { kind: 'log' }>;
type SessionRequest = Extract<NodeStreamRequest, { kind: 'exec' | 'attach' }>;

async function answerLog(
  request: LogRequest,
  options: NodeStreamOptions,
  stream: MessageStream,
  signal: AbortSignal,
): Promise<void> {
  const entry = findContainer(request, options);
  const { pod, container } = request;
  const source = request.previous ? entry.previous : entry.current;
  if (source === undefined && request.previous) {
    throw badRequest(`previous terminated container "${container}" in pod "${pod}" not found`);
  }
  if (source === undefined || source.isPhantom) {
    const reason = entry.problem?.reason ?? 'ContainerCreating';
    throw badRequest(`container "${container}" in pod "${pod}" is waiting to start: ${reason}`);
  }
  stream.accept?.();
  const isOver = () => entry.current?.id !== source.id || entry.current.exit !== undefined;
  await sendLog(request, { path: source.logPath, clock: options.clock, isOver }, stream, signal);
}

async function answerSession(
  request: SessionRequest,
  options: NodeStreamOptions,
  stream: MessageStream,
  signal: AbortSignal,
): Promise<void> {
  const session = await openSession(request, options);
  stream.accept?.();
  await joinSession(session, request, stream, signal);
}

function openSession(request: SessionRequest, options: NodeStreamOptions): Promise<RuntimeSession> {
  const { runtime } = findPod(request, options);
  const entry = findContainer(request, options);
  const { id } = runningOf(entry, request);
  const { command, stdin, tty } = request;
  if (request.kind === 'exec') return runtime.exec(id, { command, stdin, tty });
  // What a container was started with decides, whatever its visitor would like.
  const { container } = entry;
  return runtime.attach(id, { stdin: stdin && container.stdin === true, tty: container.tty === true });
}

async function answerGet(path: string, options: NodeStreamOptions, usage: () => Promise<UsageReport>): Promise<string> {
  switch (path.split('?')[0]) {
    case '/metrics':
    case '/metrics/resource':
    case '/metrics/cadvisor':
      return prometheusText(await measure(options)) + (options.moreMetrics?.() ?? '');
    case '/stats/summary':
      return JSON.stringify(summaryOf(await measure(options)));
    case USAGE_PATH:
      return encodeReport(await usage());
    case '/pods':
      return JSON.stringify({
        kind: 'PodList',
        apiVersion: 'v1',
        metadata: {},
        items: options.pods.list().map(({ pod }) => pod),
      });
    case '/healthz':
      return 'ok';
    default:
      throw new StatusError(404, 'NotFound', `the node has no ${path}`);
  }
}

async function measure({ nodeName, pods, runtimes, clock, directory }: NodeStreamOptions): Promise<Measured> {
  // One that does not answer at the moment must not hide what the others know.
  const measured = await Promise.all(runtimes.serving.map((runtime) => runtime.usage().catch(() => [])));
  const usage = new Map(measured.flat().map((one) => [one.id, one]));
  const running = pods.list().flatMap((worker) => runningContainers(worker));
  const containers = running.flatMap(({ id, startedAt, labels: { namespace, pod, uid, container } }) => {
    const used = usage.get(id);
    return used === undefined ? [] : [{ namespace, pod, uid, container, startedAt, usage: used }];
  });
  return { node: nodeName, now: clock.now(), host: readHostUsage(directory), containers };
}

function runningContainers({ entries }: PodWorker): ContainerSnapshot[] {
  return entries.flatMap(({ current }) => (current === undefined || current.exit !== undefined ? [] : [current]));
}

function findPod(
  { namespace, pod }: { readonly namespace: string; readonly pod: string },
  { pods }: NodeStreamOptions,
): PodWorker {
  const worker = pods.find(namespace, pod);
  if (worker === undefined)
    throw new StatusError(404, 'NotFound', `pods "${pod}" not found`, { name: pod, kind: 'pods' });
  return worker;
}

function findContainer(request: LogRequest | SessionRequest, options: NodeStreamOptions): ContainerEntry {
  const worker = findPod(request, options);
  // Without a name it is the first one, as a kubelet's default is.
  const wanted = request.container || worker.pod.spec.containers[0]?.name;
  const entry = worker.entries.find((one) => one.container.name === wanted);
  if (entry !== undefined) return entry;
  throw new StatusError(404, 'NotFound', `container ${request.container} is not valid for pod ${request.pod}`);
}

function runningOf(entry: ContainerEntry, { container, pod }: SessionRequest): ContainerSnapshot {
  const { current } = entry;
  if (current !== undefined && current.exit === undefined) return current;
  throw badRequest(`container "${container}" in pod "${pod}" is not running`);
}

function badRequest(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message);
}

async function sendText(stream: MessageStream, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  for (let start = 0; start < bytes.length; start += MAX_MESSAGE_BYTES) {
    await stream.send(bytes.subarray(start, start + MAX_MESSAGE_BYTES));
  }
}

/** The node's data worker: runs while something that needs it is placed here, and its live values are read through the agent. */
import type { IncomingMessage } from 'node:http';
import { type KubeObject, StatusError } from '@skerry/api';
import type { Clock, Logger } from '@skerry/base';
import { DEVICES_GROUP, type WorkerStart } from '@skerry/devices/supervision';
import type { Change, Store } from '@skerry/kube/store';
import { MAX_STREAM_MESSAGE_BYTES, type MessageStream, type NodeStreamHandler } from '@skerry/kube/streaming';
import { createWorkerProcess, type WorkerProcess } from './worker-process.ts';

export interface DataWorkerOptions extends WorkerStart {
  readonly bundle: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface DataWorker {
  /** Answers GETs of `/values`; everything else goes on. */
  streams(next: NodeStreamHandler): NodeStreamHandler;
  close(): Promise<void>;
}

const PREFIX = `${DEVICES_GROUP}/`;

export function openDataWorker(options: DataWorkerOptions): DataWorker {
  const { node, socket, token, values, drivers, ledger, clock, log, bundle, store } = options;
  const start: WorkerStart = { node, socket, token, values, drivers, ledger };
  const worker = createWorkerProcess({ name: 'data', bundle, start, clock, log, random: Math.random });
  const end = followPlaced(store, node, (isAny) => worker.want(isAny));
  return {
    streams: (next) => async (request, stream, signal) => {
      if (request.kind !== 'get' || !request.path.startsWith('/values')) return next(request, stream, signal);
      await sendValues(await getValues(options, worker, request.path, signal), stream);
    },
    close: async () => {
      end();
      await worker.close();
    },
  };
}

/** Calls back with whether any object of the worker's kinds is placed on the node, now and whenever that changes. */
function followPlaced(store: Store, node: string, onChange: (isAny: boolean) => void): () => void {
  const placed = new Set<string>();
  const read = (key: string, json: string) => {
    const { status } = JSON.parse(json) as KubeObject & { readonly status?: { readonly nodes?: readonly string[] } };
    if (status?.nodes?.includes(node) === true) placed.add(key);
    else placed.delete(key);
  };
  const { items, revision } = store.list(PREFIX);
  for (const { key, json } of items) read(key, json);
  onChange(placed.size > 0);
  const subscription = store.subscribe(PREFIX, revision, (changes: readonly Change[]) => {
    for (const change of changes) {
      if (change.type === 'put') read(change.object.key, change.object.json);
      else placed.delete(change.key);
    }
    onChange(placed.size > 0);
  });
  return () => subscription[Symbol.dispose]();
}

/** A worker that has just been started takes a moment to listen. */
const PATIENCE_MS = 5000;
const RETRY_MS = 100;

async function getValues(
  { values, token, clock }: DataWorkerOptions,
  worker: WorkerProcess,
  path: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  for (const began = clock.monotonic(); ; await clock.sleep(RETRY_MS, signal)) {
    if (!worker.isRunning) throw unavailable('nothing that has values is placed on this node');
    try {
      return await request({ socketPath: values, path, token, signal });
    } catch (error) {
      if (error instanceof StatusError || signal.aborted || clock.monotonic() - began > PATIENCE_MS) throw error;
    }
  }
}

interface Asked {
  readonly socketPath: string;
  readonly path: string;
  readonly token: string;
  readonly signal: AbortSignal;
}

function request({ socketPath, path, token, signal }: Asked): Promise<IncomingMessage> {
  const http = process.getBuiltinModule('node:http');
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` };
    const asked = http.get({ socketPath, path, headers, signal }, (response) => {
      if (response.statusCode === 200) return resolve(response);
      response.destroy();
      reject(unavailable(`the data worker answered ${response.statusCode}`));
    });
    asked.once('error', (cause) => reject(new Error('the data worker does not answer', { cause })));
  });
}

async function sendValues(response: IncomingMessage, stream: MessageStream): Promise<void> {
  stream.accept?.();
  // Whoever watches and goes away ends what it watched.
  stream.closed.then(
    () => response.destroy(),
    () => response.destroy(),
  );
  for await (const chunk of response) {
    const bytes = chunk as Uint8Array;
    for (let at = 0; at < bytes.length; at += MAX_STREAM_MESSAGE_BYTES)
      await stream.send(bytes.subarray(at, at + MAX_STREAM_MESSAGE_BYTES));
  }
  stream.end();
}

function unavailable(message: string): StatusError {
  return new StatusError(503, 'ServiceUnavailable', message);
}

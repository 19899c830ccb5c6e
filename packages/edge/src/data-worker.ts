/** The node's data worker: runs while something that needs it is placed here, and its live values are read through the agent. */
import type { IncomingMessage } from 'node:http';
import { StatusError } from '@skerry/api';
import type { Clock, Logger, Timer } from '@skerry/base';
import { DEVICES_GROUP, HISTORY_PATH } from '@skerry/devices/supervision';
import type { Store } from '@skerry/kube/store';
import { MAX_STREAM_MESSAGE_BYTES, type MessageStream, type NodeStreamHandler } from '@skerry/kube/streaming';
import { SERIES_PATH, STREAMS_GROUP } from '@skerry/streams/supervision';
import { followPlaced } from './placed.ts';
import type { DataWorkerStart } from './worker/start.ts';
import { createWorkerProcess, type WorkerProcess } from './worker-process.ts';

export interface DataWorkerOptions extends DataWorkerStart {
  readonly bundle: string;
  /** Answers what the worker asks. */
  readonly answer: (question: unknown) => object;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface DataWorker {
  /** Answers GETs of `/values` and POSTs of `/call`, `/history` and `/series`; everything else goes on. */
  streams(next: NodeStreamHandler): NodeStreamHandler;
  close(): Promise<void>;
}

/** What the worker is asked. */
const POSTS: ReadonlySet<string> = new Set(['/call', HISTORY_PATH, SERIES_PATH]);

/** Once nothing is left to be driven, so that the worker itself sees what is gone and removes what it kept of it. */
const LINGER_MS = 2000;

export function openDataWorker(options: DataWorkerOptions): DataWorker {
  const { node, socket, token, values, drivers, ledger, streams, linkDoor, clock, log, bundle, answer, store } =
    options;
  const start: DataWorkerStart = { node, socket, token, values, drivers, ledger, streams, linkDoor };
  const worker = createWorkerProcess({ name: 'data', bundle, start, answer, clock, log, random: Math.random });
  let ending: Timer | undefined;
  const placed = new Map<string, boolean>();
  const follow = (prefix: string) =>
    followPlaced({ store, node, prefix }, (isAny) => {
      placed.set(prefix, isAny);
      ending?.cancel();
      if ([...placed.values()].includes(true)) worker.want(true);
      else ending = clock.after(LINGER_MS, () => worker.want(false));
    });
  const ends = [`${DEVICES_GROUP}/`, `${STREAMS_GROUP}/`].map(follow);
  return {
    streams: (next) => async (request, stream, signal) => {
      const { kind } = request;
      if (kind === 'get' && request.path.startsWith('/values'))
        return sendAnswer(await askWorker(options, worker, { path: request.path, signal }), stream);
      if (kind !== 'post' || !POSTS.has(request.path)) return next(request, stream, signal);
      stream.accept?.();
      const body = await bodyOf(stream);
      return sendAnswer(await askWorker(options, worker, { path: request.path, body, signal }), stream);
    },
    close: async () => {
      for (const end of ends) end();
      ending?.cancel();
      await worker.close();
    },
  };
}

/** A worker that has just been started takes a moment to listen. */
const PATIENCE_MS = 5000;
const RETRY_MS = 100;

interface Question {
  readonly path: string;
  /** Of a POST. */
  readonly body?: Uint8Array;
  readonly signal: AbortSignal;
}

async function askWorker(
  { values, token, clock }: DataWorkerOptions,
  worker: WorkerProcess,
  question: Question,
): Promise<IncomingMessage> {
  for (const began = clock.monotonic(); ; await clock.sleep(RETRY_MS, question.signal)) {
    if (!worker.isRunning) throw unavailable('nothing that has values is placed on this node');
    try {
      return await request({ ...question, socketPath: values, token });
    } catch (error) {
      const { signal } = question;
      // Whoever does not listen yet has heard nothing; after that a command may have been carried out.
      if (error instanceof StatusError || signal.aborted || clock.monotonic() - began > PATIENCE_MS) throw error;
      if (question.body !== undefined && !(error instanceof NobodyListens)) throw error;
    }
  }
}

class NobodyListens extends Error {}

interface Asked extends Question {
  readonly socketPath: string;
  readonly token: string;
}

function request({ socketPath, path, token, body, signal }: Asked): Promise<IncomingMessage> {
  const http = process.getBuiltinModule('node:http');
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` };
    const method = body === undefined ? 'GET' : 'POST';
    const asked = http.request({ socketPath, path, method, headers, signal }, (response) => {
      if (response.statusCode === 200) return resolve(response);
      response.destroy();
      reject(unavailable(`the data worker answered ${response.statusCode}`));
    });
    asked.once('error', (cause: NodeJS.ErrnoException) => {
      const isUnheard = cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED';
      const Failure = isUnheard ? NobodyListens : Error;
      reject(new Failure('the data worker does not answer', { cause }));
    });
    asked.end(body);
  });
}

/** So much may be said to a device at once. */
const MAX_BODY_BYTES = 1024 * 1024;

async function bodyOf({ incoming }: MessageStream): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of incoming) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new StatusError(413, 'RequestEntityTooLarge', 'the body is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function sendAnswer(response: IncomingMessage, stream: MessageStream): Promise<void> {
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

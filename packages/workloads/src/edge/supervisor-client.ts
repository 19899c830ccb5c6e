/** The agent's side of the supervisor: one control connection that drives it, and a connection for each session. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type Clock, CodedError, hasCode, messageOf } from '@skerry/base';
import { errors } from '../supervisor/errors.ts';
import {
  type ControlEvent,
  type ControlReply,
  type ControlRequest,
  decodeJson,
  encodeFrame,
  encodeJson,
  FrameChannel,
  FrameDecoder,
  type FurtherCommand,
  type HelloResult,
  PROTOCOL_VERSION,
  type ProcessRecord,
  type ResourceLimits,
  type RunResult,
  type SessionMessage,
  type StartRequest,
  type Usage,
} from '../supervisor/protocol.ts';
import { withSocketPath } from '../supervisor/socket-path.ts';

const SOCKET_NAME = 'supervisor.sock';
/** A machine that boots, or is busy, takes its time to start a program. */
const START_PATIENCE_MS = 120_000;
/** The one we started has ended: another one, started at the same moment, may be about to answer. */
const ENDED_PATIENCE_MS = 5000;
const START_PAUSE_MS = 25;

/** What an interactive session sees of its process. */
export interface ProcessSession {
  /** Resolves when there is room for more. */
  writeStdin(chunk: Uint8Array): Promise<void>;
  closeStdin(): void;
  resize(columns: number, rows: number): void;
  readonly output: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly chunk: Buffer }>;
  /** The exit code; undefined when the session broke before the process ended. Settles after `output` was read to its end. */
  readonly exitCode: Promise<number | undefined>;
  close(): void;
}

export interface SupervisorClient {
  readonly hello: HelloResult;
  /** Resolves when the connection is gone; the caller connects anew. */
  readonly closed: Promise<void>;
  start(request: StartRequest): Promise<ProcessRecord>;
  list(): Promise<ProcessRecord[]>;
  signal(id: string, signal: NodeJS.Signals): Promise<void>;
  kill(id: string): Promise<ProcessRecord>;
  remove(id: string): Promise<void>;
  run(
    id: string,
    command: readonly string[],
    limits: { timeoutMs: number; maxOutputBytes: number },
  ): Promise<RunResult>;
  limit(id: string, limits: ResourceLimits): Promise<void>;
  usage(): Promise<Usage[]>;
  exec(id: string, command: FurtherCommand): Promise<ProcessSession>;
  attach(id: string): Promise<ProcessSession>;
  /** Ends the supervisor; rejects with BUSY while processes run. */
  shutdown(): Promise<void>;
  close(): void;
}

export interface ConnectOptions {
  readonly directory: string;
  /** Named to whoever else tries to drive the supervisor meanwhile. */
  readonly agent: string;
  readonly onExit: (record: ProcessRecord) => void;
}

export interface EnsureOptions extends ConnectOptions {
  /** How to start one where none answers: program and arguments, `--directory DIR` is added. */
  readonly command: readonly string[];
  readonly clock: Clock;
  /** Standard error of the supervisor; default: a file beside its socket. */
  readonly logFile?: string;
}

/** Connects, starting a supervisor first where none answers. It is started detached: it outlives this process. */
export async function ensureSupervisor(options: EnsureOptions): Promise<SupervisorClient> {
  const first = await tryConnect(options);
  if (first !== undefined) return first;
  const { clock } = options;
  const ended = startDetached(options);
  let deadline = clock.monotonic() + START_PATIENCE_MS;
  ended.addEventListener('abort', () => {
    deadline = Math.min(deadline, clock.monotonic() + ENDED_PATIENCE_MS);
  });
  while (clock.monotonic() < deadline) {
    await clock.sleep(START_PAUSE_MS);
    const client = await tryConnect(options);
    if (client !== undefined) return client;
  }
  throw errors.GONE();
}

async function tryConnect(options: ConnectOptions): Promise<SupervisorClient | undefined> {
  try {
    return await connectSupervisor(options);
  } catch (error) {
    // Another agent's, or another version's: starting a second supervisor would not help.
    if (error instanceof CodedError && !hasCode(error, 'SUPERVISOR_GONE')) throw error;
    return undefined;
  }
}

/** Aborts when what was started has ended, or could not be started. */
function startDetached({ directory, command, logFile }: EnsureOptions): AbortSignal {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const log = openSync(logFile ?? join(directory, 'supervisor.log'), 'a', 0o600);
  const [program = '', ...args] = command;
  const child = spawn(program, [...args, '--directory', directory], {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: '/',
  });
  const ended = new AbortController();
  child.once('error', () => ended.abort());
  child.once('exit', () => ended.abort());
  child.unref();
  closeSync(log);
  return ended.signal;
}

export async function connectSupervisor(options: ConnectOptions): Promise<SupervisorClient> {
  const path = join(options.directory, SOCKET_NAME);
  const control = await Control.open(path, options.onExit);
  try {
    const hello = await control.call<HelloResult>({ op: 'hello', protocol: PROTOCOL_VERSION, agent: options.agent });
    return clientOf(path, control, hello);
  } catch (error) {
    control.close();
    throw error;
  }
}

function clientOf(path: string, control: Control, hello: HelloResult): SupervisorClient {
  const session = (request: object) => openSession(path, { token: hello.token, ...request });
  return {
    hello,
    closed: control.closed,
    start: (request) => control.call({ op: 'start', request }),
    list: () => control.call({ op: 'list' }),
    signal: (id, signal) => control.call({ op: 'signal', id, signal }),
    kill: (id) => control.call({ op: 'kill', id }),
    remove: (id) => control.call({ op: 'remove', id }),
    run: (id, command, limits) => control.call({ op: 'run', id, command, ...limits }),
    limit: (id, limits) => control.call({ op: 'limit', id, limits }),
    usage: () => control.call({ op: 'usage' }),
    exec: (id, command) => session({ op: 'exec', id, ...command }),
    attach: (id) => session({ op: 'attach', id }),
    shutdown: () => shutDown(control),
    close: () => control.close(),
  };
}

/** The supervisor may be gone before its answer is. */
async function shutDown(control: Control): Promise<void> {
  try {
    await control.call({ op: 'shutdown' });
  } catch (error) {
    if (!hasCode(error, 'SUPERVISOR_GONE')) throw error;
  }
}

/** The control connection: numbered calls, and the supervisor's events between the answers. */
class Control {
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #seq = 0;

  static async open(path: string, onExit: (record: ProcessRecord) => void): Promise<Control> {
    return new Control(await dial(path), onExit);
  }

  constructor(socket: Socket, onExit: (record: ProcessRecord) => void) {
    this.#socket = socket;
    const decoder = new FrameDecoder();
    socket.on('data', (chunk: Buffer) => {
      for (const frame of decoder.push(chunk))
        this.#onMessage(decodeJson(frame) as ControlReply | ControlEvent, onExit);
    });
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.once('close', () => {
      for (const waiter of this.#waiting.values()) waiter.reject(errors.GONE());
      this.#waiting.clear();
    });
  }

  call<T>(request: ControlRequest): Promise<T> {
    if (this.#socket.destroyed) return Promise.reject(errors.GONE());
    const seq = ++this.#seq;
    const waiter = Promise.withResolvers<unknown>();
    this.#waiting.set(seq, waiter);
    this.#socket.write(encodeJson({ seq, ...request }));
    return waiter.promise as Promise<T>;
  }

  close(): void {
    this.#socket.destroy();
  }

  #onMessage(message: ControlReply | ControlEvent, onExit: (record: ProcessRecord) => void): void {
    if ('event' in message) {
      onExit(message.record);
      return;
    }
    const waiter = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if ('error' in message) waiter?.reject(remoteError(message.error));
    else waiter?.resolve(message.result);
  }
}

async function openSession(path: string, request: object): Promise<ProcessSession> {
  const socket = await dial(path);
  socket.write(encodeJson(request));
  const started = Promise.withResolvers<void>();
  const exitCode = Promise.withResolvers<number | undefined>();
  const frames = sessionFrames(socket, started, exitCode);
  const output = frames[Symbol.asyncIterator]();
  // The first step runs up to the first output, and so past the answer that says whether the session started.
  const first = output.next();
  first.catch(() => {});
  await started.promise;
  const say = (message: SessionMessage) => void (socket.destroyed || socket.write(encodeJson(message)));
  return {
    writeStdin: async (chunk) => {
      if (socket.destroyed || socket.write(encodeFrame(FrameChannel.stdin, chunk))) return;
      await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
    },
    closeStdin: () => say({ type: 'close-stdin' }),
    resize: (columns, rows) => say({ type: 'resize', columns, rows }),
    output: (async function* () {
      for (let step = await first; step.done !== true; step = await output.next()) yield step.value;
    })(),
    exitCode: exitCode.promise,
    close: () => socket.destroy(),
  };
}

type Output = { readonly stream: 'stdout' | 'stderr'; readonly chunk: Buffer };

/** Reading the socket by pulling is what carries back-pressure to the process. */
async function* sessionFrames(
  socket: Socket,
  started: PromiseWithResolvers<void>,
  exitCode: PromiseWithResolvers<number | undefined>,
): AsyncGenerator<Output> {
  const decoder = new FrameDecoder();
  try {
    for await (const chunk of socket) {
      for (const frame of decoder.push(chunk as Buffer)) {
        if (frame.channel === FrameChannel.stdout) yield { stream: 'stdout', chunk: frame.payload };
        else if (frame.channel === FrameChannel.stderr) yield { stream: 'stderr', chunk: frame.payload };
        else onSessionMessage(decodeJson(frame) as SessionMessage, started, exitCode);
      }
    }
  } catch {
    // The connection broke: no exit code is known.
  } finally {
    started.reject(errors.GONE());
    started.promise.catch(() => {});
    exitCode.resolve(undefined);
  }
}

function onSessionMessage(
  message: SessionMessage,
  started: PromiseWithResolvers<void>,
  exitCode: PromiseWithResolvers<number | undefined>,
): void {
  if (message.type === 'started') started.resolve();
  if (message.type === 'exit') exitCode.resolve(message.code);
  if (message.type === 'refused') started.reject(remoteError(message));
}

async function dial(path: string): Promise<Socket> {
  const socket = await new Promise<Socket>((resolve, reject) => {
    const attempt = withSocketPath(path, (address) => connect({ path: address }));
    attempt.once('connect', () => resolve(attempt));
    attempt.once('error', (cause) => reject(errors.GONE({}, { cause })));
  }).catch((error: unknown) => {
    if (hasCode(error)) throw error;
    throw errors.GONE({}, { cause: new Error(messageOf(error)) });
  });
  socket.on('error', () => socket.destroy());
  return socket;
}

/** The supervisor's error as it was thrown there. */
function remoteError({ code, message }: { readonly code: string; readonly message: string }): CodedError {
  return new CodedError(code, { text: message, retry: 'backoff' }, {});
}

/** One interactive session on its own connection: exec or attach. Back-pressure is the connection's. */
import type { Socket } from 'node:net';
import type { Clock } from '@skerry/base';
import { hasCode, messageOf } from '@skerry/base';
import type { Keeper } from './keeper.ts';
import {
  decodeJson,
  encodeFrame,
  encodeJson,
  type Frame,
  FrameChannel,
  type SessionMessage,
  type SessionRequest,
} from './protocol.ts';
import type { Run, Runner } from './runs.ts';
import { resizeTerminal } from './tty.ts';

/** An attached client that lags further behind than this is cut off; its container is not held back. */
const MAX_ATTACH_BACKLOG_BYTES = 1024 * 1024;
const RESIZE_RETRY_MS = 20;
const RESIZE_ATTEMPTS = 100;

export interface SessionContext {
  readonly keeper: Keeper;
  readonly runner: Runner;
  readonly clock: Clock;
}

/** Takes the connection over. The returned function receives its further frames. */
export function serveSession(request: SessionRequest, socket: Socket, context: SessionContext): (frame: Frame) => void {
  const inbox: Frame[] = [];
  let handle = (frame: Frame): void => {
    inbox.push(frame);
  };
  const open = request.op === 'exec' ? openExec(request, socket, context) : openAttach(request, socket, context);
  open
    .then((onFrame) => {
      handle = onFrame;
      for (const frame of inbox.splice(0)) onFrame(frame);
    })
    .catch((error: unknown) => refuse(socket, error));
  return (frame) => handle(frame);
}

function say(socket: Socket, message: SessionMessage): void {
  if (!socket.destroyed) socket.write(encodeJson(message));
}

function refuse(socket: Socket, error: unknown): void {
  say(socket, { type: 'refused', code: hasCode(error) ? error.code : 'INTERNAL', message: messageOf(error) });
  socket.end();
}

async function openExec(
  request: SessionRequest & { op: 'exec' },
  socket: Socket,
  { runner, clock }: SessionContext,
): Promise<(frame: Frame) => void> {
  const run = await runner.start(request.id, request);
  socket.once('close', () => void run.dispose());
  say(socket, { type: 'started' });
  const outputs = [forward(run.streams.stdout, FrameChannel.stdout, socket)];
  if (run.streams.stderr !== undefined) outputs.push(forward(run.streams.stderr, FrameChannel.stderr, socket));
  finishExec(run, outputs, socket).catch(() => socket.destroy());
  const resize = (columns: number, rows: number) => retryResize(run, { columns, rows }, clock);
  return (frame) =>
    onSessionFrame(frame, run.streams.stdin, { resize, closeStdin: () => run.streams.stdin?.destroy() });
}

async function finishExec(run: Run, outputs: readonly Promise<void>[], socket: Socket): Promise<void> {
  const code = await run.exited;
  await Promise.all(outputs);
  say(socket, { type: 'exit', code });
  socket.end();
  await run.dispose();
}

/** Resolves at the stream's end. The stream waits while the connection is full. */
function forward(stream: Socket, channel: number, socket: Socket): Promise<void> {
  stream.on('data', (chunk: Buffer) => {
    if (socket.destroyed || socket.write(encodeFrame(channel, chunk))) return;
    stream.pause();
    socket.once('drain', () => stream.resume());
  });
  return new Promise((resolve) => stream.once('close', resolve));
}

/** The first size usually comes before the terminal is there. */
async function retryResize(run: Run, size: { columns: number; rows: number }, clock: Clock): Promise<void> {
  for (let attempt = 0; attempt < RESIZE_ATTEMPTS; attempt++) {
    if (resizeTerminal(run.main.pid, size.columns, size.rows)) return;
    await clock.sleep(RESIZE_RETRY_MS);
  }
}

async function openAttach(
  request: SessionRequest & { op: 'attach' },
  socket: Socket,
  { keeper }: SessionContext,
): Promise<(frame: Frame) => void> {
  const process = keeper.attach(request.id);
  say(socket, { type: 'started' });
  const stop = process.listen((stream, chunk) => {
    if (socket.writableLength > MAX_ATTACH_BACKLOG_BYTES) socket.destroy();
    else socket.write(encodeFrame(FrameChannel[stream], chunk));
  });
  let usedStdin = false;
  const closeStdin = () => {
    if (process.stdinOnce) process.stdin?.destroy();
  };
  socket.once('close', () => {
    stop();
    if (usedStdin) closeStdin();
  });
  process.ended
    .then((code) => {
      say(socket, { type: 'exit', code });
      socket.end();
    })
    .catch(() => socket.destroy());
  const resize = async (columns: number, rows: number) => void keeper.resize(request.id, columns, rows);
  return (frame) => {
    if (frame.channel === FrameChannel.stdin) usedStdin = true;
    onSessionFrame(frame, process.stdin, { resize, closeStdin });
  };
}

const NOTHING = Buffer.alloc(0);

interface SessionActions {
  readonly resize: (columns: number, rows: number) => Promise<void>;
  readonly closeStdin: () => void;
}

function onSessionFrame(frame: Frame, stdin: Socket | undefined, actions: SessionActions): void {
  if (frame.channel === FrameChannel.stdin) {
    if (stdin?.writable) stdin.write(frame.payload);
    return;
  }
  if (frame.channel !== FrameChannel.json) return;
  const message = decodeJson(frame) as SessionMessage;
  if (message.type === 'resize') actions.resize(message.columns, message.rows).catch(() => {});
  if (message.type === 'close-stdin') endAfterWrites(stdin, actions.closeStdin);
}

function endAfterWrites(stdin: Socket | undefined, close: () => void): void {
  if (stdin === undefined || stdin.destroyed || stdin.writableLength === 0) close();
  // 'drain' comes only after more than a buffer's worth; the callback of a write comes in any case, after those before it.
  else stdin.write(NOTHING, close);
}

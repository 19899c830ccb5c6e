/**
 * What agent and supervisor say to each other over the unix socket: frames of `u32 length, u8 channel, payload`.
 * Channel 0 carries JSON; the other channels carry the bytes of one interactive session, which has a connection of its own.
 */

/** Grows when an older agent could no longer drive a newer supervisor. */
export const PROTOCOL_VERSION = 1;

export const FrameChannel = { json: 0, stdin: 1, stdout: 2, stderr: 3 } as const;

/** A start request holds a whole environment; nothing sensible is larger. */
export const MAX_FRAME_BYTES = 8 * 1024 * 1024;
const HEADER_BYTES = 5;

export interface Frame {
  readonly channel: number;
  readonly payload: Buffer;
}

/** Who a process is for as long as the machine runs: pids are reused, start times and boots are not. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat, in clock ticks since boot. */
  readonly startTime: string;
  readonly bootId: string;
}

export interface ResourceLimits {
  readonly memoryBytes?: number;
  readonly cpuMillis?: number;
  /** The request, which becomes the weight against others. */
  readonly cpuShareMillis?: number;
  readonly pids?: number;
}

export interface LogSpec {
  readonly path: string;
  readonly maxBytes: number;
  /** How many files are kept, the current one included. */
  readonly maxFiles: number;
}

/** How to start a process. Every list is an argument array: no part of it ever meets a shell. */
export interface LaunchSpec {
  /** Words before the sandbox, for one that is made in namespaces that are there already. */
  readonly enter?: readonly string[];
  /** bubblewrap and its options without the command; absent: the command runs straight on the host. */
  readonly sandbox?: readonly string[];
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Who may reopen the process's standard streams (`/dev/stdout`). */
  readonly owner?: { readonly uid: number; readonly gid: number };
  readonly stdin?: boolean;
  readonly tty?: boolean;
}

export interface StartRequest extends LaunchSpec {
  readonly id: string;
  /** How many leading words of `argv` drop privileges; further commands in the same container begin with the same words. */
  readonly prefixLength?: number;
  /**
   * How further commands get into the sandbox, without the process whose sandbox it is; absent: each gets one of its own that looks the
   * same. For a sandbox with a root of its own, there can be only one, and what is needed to make a terminal is outside of it.
   */
  readonly join?: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly log: LogSpec;
  readonly limits?: ResourceLimits;
  /** Close standard input once the first attached client is gone. */
  readonly stdinOnce?: boolean;
}

export interface ExitInfo {
  readonly code: number;
  /** `OOMKilled`, `NodeRebooted`, `ContainerStatusUnknown`; absent when the code says it all. */
  readonly reason?: string;
  /** Milliseconds since the epoch. */
  readonly finishedAt: number;
}

/** What the supervisor knows of a process, in memory and on disk. */
export interface ProcessRecord {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly log: LogSpec;
  readonly startedAt: number;
  /** The process itself. */
  readonly main: ProcessIdentity;
  /** bubblewrap's monitor, which writes the exit code even when the supervisor is away. */
  readonly monitor?: ProcessIdentity;
  readonly stdin?: boolean;
  readonly tty?: boolean;
  readonly exit?: ExitInfo;
}

export interface Usage {
  readonly id: string;
  readonly cpuNanoseconds: number;
  readonly memoryBytes: number;
  /** Memory without what the kernel could drop: what `kubectl top` shows. */
  readonly workingSetBytes: number;
  readonly processes: number;
}

export interface RunResult {
  readonly exitCode: number;
  readonly output: string;
  readonly timedOut: boolean;
}

export type ControlRequest =
  | { readonly op: 'hello'; readonly protocol: number; readonly agent: string }
  | { readonly op: 'start'; readonly request: StartRequest }
  | { readonly op: 'list' }
  | { readonly op: 'signal'; readonly id: string; readonly signal: string }
  | { readonly op: 'kill'; readonly id: string }
  | { readonly op: 'remove'; readonly id: string }
  | {
      readonly op: 'run';
      readonly id: string;
      readonly command: readonly string[];
      readonly timeoutMs: number;
      readonly maxOutputBytes: number;
    }
  | { readonly op: 'limit'; readonly id: string; readonly limits: ResourceLimits }
  | { readonly op: 'usage' }
  | { readonly op: 'resize'; readonly id: string; readonly columns: number; readonly rows: number }
  /** Ends the supervisor once nothing runs; refused while something does. */
  | { readonly op: 'shutdown' };

/** A command beside the first one: same sandbox, same user, same environment. */
export interface FurtherCommand {
  readonly command: readonly string[];
  readonly stdin?: boolean;
  readonly tty?: boolean;
}

/** The first message of a session's own connection. */
export type SessionRequest = { readonly token: string } & (
  | ({ readonly op: 'exec'; readonly id: string } & FurtherCommand)
  | { readonly op: 'attach'; readonly id: string }
);

export interface HelloResult {
  readonly protocol: number;
  readonly token: string;
  readonly pid: number;
  readonly bootId: string;
  /** Which control groups limits are enforced with; absent: the supervisor may not make any. */
  readonly cgroups?: 'v1' | 'v2';
  readonly records: readonly ProcessRecord[];
}

export type ControlReply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: { readonly code: string; readonly message: string } };

export type ControlEvent = { readonly event: 'exited'; readonly record: ProcessRecord };

/** Within a session's connection. */
export type SessionMessage =
  | { readonly type: 'resize'; readonly columns: number; readonly rows: number }
  | { readonly type: 'close-stdin' }
  | { readonly type: 'started' }
  | { readonly type: 'exit'; readonly code: number }
  | { readonly type: 'refused'; readonly code: string; readonly message: string };

export function encodeFrame(channel: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt32BE(payload.length + 1, 0);
  frame.writeUInt8(channel, 4);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

export function encodeJson(message: unknown): Buffer {
  return encodeFrame(FrameChannel.json, Buffer.from(JSON.stringify(message)));
}

/** Cuts a stream of bytes into frames. A length past the limit throws before anything is kept for it. */
export class FrameDecoder {
  #chunks: Buffer[] = [];
  #size = 0;

  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    const frames: Frame[] = [];
    for (let frame = this.#take(); frame !== undefined; frame = this.#take()) frames.push(frame);
    return frames;
  }

  #take(): Frame | undefined {
    if (this.#size < HEADER_BYTES) return undefined;
    const head = this.#joined(HEADER_BYTES);
    const length = head.readUInt32BE(0);
    if (length < 1 || length > MAX_FRAME_BYTES) throw new RangeError(`frame of ${length} bytes`);
    if (this.#size < length + 4) return undefined;
    const whole = this.#joined(length + 4);
    const frame = { channel: whole.readUInt8(4), payload: whole.subarray(HEADER_BYTES, length + 4) };
    this.#drop(length + 4);
    return frame;
  }

  /** The buffered bytes with at least `size` of them contiguous at the front. */
  #joined(size: number): Buffer {
    const first = this.#chunks[0];
    if (first !== undefined && first.length >= size) return first;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }

  #drop(size: number): void {
    const first = this.#chunks[0];
    this.#size -= size;
    if (first === undefined) return;
    if (first.length === size) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(size);
  }
}

export function decodeJson(frame: Frame): unknown {
  return JSON.parse(frame.payload.toString('utf8'));
}

/** The graceful end of a container: its hook, the signal, the wait, the kill. The grace may be shortened while it runs. */
import type { Clock, Timer } from '@skerry/base';
import { type HandlerTarget, runHandler } from './handler-run.ts';
import type { Container } from './types.ts';

/** After a hook that used up the grace there is still this much between the signal and the kill. */
const MINIMUM_GRACE_MS = 2000;

export interface StopOptions {
  readonly container: Container;
  readonly containerId: string;
  readonly graceSeconds: number;
  readonly target: HandlerTarget;
  /** Resolves when the container has ended. */
  readonly ended: Promise<void>;
  readonly deadline: Deadline;
  readonly onHookFailed: (message: string) => void;
}

/** A moment that can be moved nearer, never further away. */
export class Deadline {
  readonly #clock: Clock;
  readonly #passed = Promise.withResolvers<void>();
  #at: number;
  #timer: Timer;

  constructor(clock: Clock, graceSeconds: number) {
    this.#clock = clock;
    this.#at = clock.monotonic() + graceSeconds * 1000;
    this.#timer = clock.after(graceSeconds * 1000, this.#passed.resolve);
  }

  get passed(): Promise<void> {
    return this.#passed.promise;
  }

  get remainingMs(): number {
    return Math.max(0, this.#at - this.#clock.monotonic());
  }

  shorten(graceSeconds: number): void {
    const at = this.#clock.monotonic() + graceSeconds * 1000;
    if (at >= this.#at) return;
    this.#at = at;
    this.#timer.cancel();
    this.#timer = this.#clock.after(graceSeconds * 1000, this.#passed.resolve);
  }

  cancel(): void {
    this.#timer.cancel();
  }
}

export async function stopContainer(options: StopOptions): Promise<void> {
  const { container, containerId, graceSeconds, target, ended, deadline } = options;
  const { runtime, clock } = target;
  try {
    if (graceSeconds > 0) {
      await runPreStop(options);
      await runtime.terminate(containerId, container.lifecycle?.stopSignal);
      const minimum = deadline.remainingMs > 0 ? Promise.resolve() : clock.sleep(MINIMUM_GRACE_MS);
      await Promise.race([ended, Promise.all([deadline.passed, minimum])]);
    }
    await runtime.kill(containerId);
    await ended;
  } finally {
    deadline.cancel();
  }
}

async function runPreStop({ container, target, deadline, ended, onHookFailed }: StopOptions): Promise<void> {
  const hook = container.lifecycle?.preStop;
  if (hook === undefined) return;
  const finished = runHandler(hook, target, Math.max(1, deadline.remainingMs)).then(({ ok, message }) => {
    if (!ok) onHookFailed(`PreStopHook failed: ${message}`);
  });
  await Promise.race([finished, ended, deadline.passed]);
}

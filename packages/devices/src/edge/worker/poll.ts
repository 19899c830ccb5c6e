/** Reads a group of points again and again, on a grid of its interval: late readings are left out, not made up for. */
import type { Clock } from '@skerry/base';

export interface PollOptions {
  readonly clock: Clock;
  readonly intervalMs: number;
  /** Where on the grid, so that not all devices are read in the same instant. */
  readonly phaseMs: number;
  readonly read: () => Promise<void>;
  /** Readings that were left out because the one before took too long. */
  readonly onMissed: (count: number) => void;
  readonly signal: AbortSignal;
}

/** The first time at once. Resolves when the signal aborts; rejects when `read` does. */
export async function poll(options: PollOptions): Promise<void> {
  const { clock, intervalMs, phaseMs, read, onMissed, signal } = options;
  const slotAt = (time: number) => Math.floor((time - phaseMs) / intervalMs);
  let last = slotAt(clock.monotonic());
  while (!signal.aborted) {
    await read();
    // A timer may fire a little early, and that must not make two readings of one slot.
    const next = Math.max(last, slotAt(clock.monotonic())) + 1;
    if (next > last + 1) onMissed(next - last - 1);
    last = next;
    await restUntil(options, next * intervalMs + phaseMs);
  }
}

async function restUntil({ clock, signal }: PollOptions, due: number): Promise<void> {
  try {
    await clock.sleep(Math.max(0, due - clock.monotonic()), signal);
  } catch {
    // Aborted: the loop ends by itself.
  }
}

/** The same place on the grid for the same name, spread over the interval. */
export function phaseOf(name: string, intervalMs: number): number {
  let hash = 0;
  for (const character of name) hash = (Math.imul(hash, 31) + (character.codePointAt(0) ?? 0)) >>> 0;
  return hash % intervalMs;
}

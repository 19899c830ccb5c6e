/** Batches of 1, 2, 4 …: when the first write is refused, the others are not even tried. */

export interface SlowStartResult {
  readonly succeeded: number;
  readonly error?: unknown;
}

/** Calls `act` up to `count` times; stops after the batch in which one fails. */
export async function slowStart(count: number, act: (index: number) => Promise<void>): Promise<SlowStartResult> {
  let succeeded = 0;
  let next = 0;
  for (let size = 1; next < count; size *= 2) {
    const batch = Array.from({ length: Math.min(size, count - next) }, (_, offset) => act(next + offset));
    next += batch.length;
    const outcomes = await Promise.allSettled(batch);
    const failure = outcomes.find((outcome) => outcome.status === 'rejected');
    succeeded += outcomes.filter((outcome) => outcome.status === 'fulfilled').length;
    if (failure !== undefined) return { succeeded, error: failure.reason };
  }
  return { succeeded };
}

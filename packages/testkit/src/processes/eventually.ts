/** Waiting for what real processes bring about in their own time. */

export interface EventuallyOptions {
  readonly timeoutMs?: number;
  readonly everyMs?: number;
}

export const EVENTUALLY_MS = 30_000;
const EVERY_MS = 100;

/** Tries until `attempt` neither throws nor gives back `undefined` or `false`; rejects with the last failure once time is up. */
export async function eventually<T>(
  what: string,
  attempt: () => Promise<T | undefined | false> | T | undefined | false,
  options: EventuallyOptions = {},
): Promise<T> {
  const deadline = performance.now() + (options.timeoutMs ?? EVENTUALLY_MS);
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      const result = await attempt();
      if (result !== undefined && result !== false) return result;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? EVERY_MS));
  }
  throw new Error(`did not happen in time: ${what}`, { cause: last });
}

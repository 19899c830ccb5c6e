/** A source that takes no more of a registry's host in a second than is allowed, all pulls together. */
import type { Clock } from '@skerry/base';
import type { ImageSource } from './contract.ts';

export interface PacedSourceOptions {
  /** Bytes; undefined: as many as come. Asked for each chunk, so that a change counts at once. */
  readonly rateOf: (registry: string) => number | undefined;
  readonly clock: Clock;
}

export function createPacedSource(source: ImageSource, { rateOf, clock }: PacedSourceOptions): ImageSource {
  /** By registry: until when what has come has used up the rate. */
  const paidUntil = new Map<string, number>();
  const pay = async (registry: string, bytes: number, signal: AbortSignal | undefined): Promise<void> => {
    const rate = rateOf(registry);
    if (rate === undefined) {
      paidUntil.delete(registry);
      return;
    }
    const now = clock.monotonic();
    const until = Math.max(now, paidUntil.get(registry) ?? now) + (bytes / rate) * 1000;
    paidUntil.set(registry, until);
    await clock.sleep(until - now, signal);
  };
  return {
    resolve: (image, options) => source.resolve(image, options),
    manifest: (image, wanted, options) => source.manifest(image, wanted, options),
    blob: async function* (image, wanted, options) {
      for await (const chunk of source.blob(image, wanted, options)) {
        yield chunk;
        await pay(image.registry, chunk.length, options?.signal);
      }
    },
  };
}

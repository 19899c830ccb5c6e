/** Which way an image takes to a node: by way of the cloud, or straight from its registry. */
import { type Clock, hasCode } from '@skerry/base';
import type { ImageReference, ImageSource } from '../contract.ts';
import { imageErrors } from '../errors.ts';
import { begun } from './begun.ts';
import { THE_CLOUD } from './image-request.ts';

/** As an ImageRegistry says it; `Auto` where none says anything. */
export type Way = 'Auto' | 'ThroughCloud' | 'Direct';

export interface ChosenSourceOptions {
  readonly cloud: ImageSource;
  readonly direct: ImageSource;
  readonly isConnected: () => boolean;
  readonly wayOf: (registry: string) => Way;
  readonly clock: Clock;
}

/** A registry that the cloud did not reach, and the node did, is asked directly for so long. */
const AVOID_CLOUD_MS = 60_000;

export function createChosenSource(options: ChosenSourceOptions): ImageSource {
  return new ChosenSource(options);
}

class ChosenSource implements ImageSource {
  readonly #options: ChosenSourceOptions;
  /** By registry, of which there are as many as the node's pods name. */
  readonly #avoidedUntil = new Map<string, number>();

  constructor(options: ChosenSourceOptions) {
    this.#options = options;
  }

  resolve: ImageSource['resolve'] = (image, options) => this.#either(image, (source) => source.resolve(image, options));

  manifest: ImageSource['manifest'] = (image, wanted, options) =>
    this.#either(image, (source) => source.manifest(image, wanted, options));

  // Where one way breaks after its first byte, the reader asks again from there, and the choice is made anew.
  blob: ImageSource['blob'] = (image, wanted, options) => {
    const either = this.#either(image, (source) => begun(source.blob(image, wanted, options)));
    return (async function* () {
      yield* await either;
    })();
  };

  async #either<Result>({ registry }: ImageReference, work: (source: ImageSource) => Promise<Result>): Promise<Result> {
    const { cloud, direct, isConnected, wayOf } = this.#options;
    const way = wayOf(registry);
    if (way === 'ThroughCloud') return await work(cloud);
    if (way === 'Direct' || !isConnected() || this.#isAvoided(registry)) return await work(direct);
    let failure: unknown;
    try {
      return await work(cloud);
    } catch (error) {
      if (!hasCode(error)) throw error;
      failure = error;
    }
    const result = await this.#directly(work, failure);
    if (isBeyondCloud(failure)) this.#avoidedUntil.set(registry, this.#options.clock.monotonic() + AVOID_CLOUD_MS);
    return result;
  }

  /** When neither way leads there, it is told what the one said that got further, or both. */
  async #directly<Result>(work: (source: ImageSource) => Promise<Result>, failure: unknown): Promise<Result> {
    try {
      return await work(this.#options.direct);
    } catch (error) {
      if (!hasCode(error, 'IMAGE_UNREACHABLE')) throw error;
      if (!hasCode(failure, 'IMAGE_UNREACHABLE')) throw failure;
      const problem = `${error.facts['problem']}; ${failure.message}`;
      throw imageErrors.UNREACHABLE({ ...error.facts, problem }, { cause: error });
    }
  }

  #isAvoided(registry: string): boolean {
    const until = this.#avoidedUntil.get(registry) ?? Number.NEGATIVE_INFINITY;
    if (this.#options.clock.monotonic() < until) return true;
    this.#avoidedUntil.delete(registry);
    return false;
  }
}

/** The cloud answered, and it was the registry that did not answer the cloud. */
function isBeyondCloud(error: unknown): boolean {
  if (!hasCode(error, 'IMAGE_UNREACHABLE') && !hasCode(error, 'IMAGE_UNAVAILABLE')) return false;
  return error.facts['where'] !== THE_CLOUD;
}

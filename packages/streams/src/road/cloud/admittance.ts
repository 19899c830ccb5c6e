/** Series of a session whose namespace is not the node's: refused, and asked for again now and then, for a Route may come. */
import type { Clock } from '@skerry/base';
import type { SeriesName } from '../wire/messages.ts';

/** Whether a Route of the namespace is placed on the node. */
export type MayBring = (node: string, namespace: string) => Promise<boolean>;

export interface AdmittanceOptions {
  readonly node: string;
  readonly clock: Clock;
  readonly mayBring: MayBring;
  /** One that the cloud has of the node already: what a Route took before it went still comes. */
  readonly isKnown: (series: SeriesName) => boolean;
}

/** What was refused is asked for again no sooner; a node that names strange namespaces all the time waits so long each time. */
const ASK_AGAIN_MS = 250;
/** More are refused all the same, and for the rest of the session. */
const MAX_DENIED = 10_000;

export class Admittance {
  readonly #options: AdmittanceOptions;
  readonly #denied = new Map<number, SeriesName>();
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(options: AdmittanceOptions) {
    this.#options = options;
  }

  isDenied(id: number): boolean {
    return this.#denied.has(id);
  }

  /** Those that the node may bring. */
  async admit(series: readonly SeriesName[], signal: AbortSignal): Promise<readonly SeriesName[]> {
    const { node, mayBring, isKnown, clock } = this.#options;
    const answers = new Map<string, boolean>();
    const admitted: SeriesName[] = [];
    for (const each of series) {
      const namespace = each.labels['namespace'] ?? '';
      const answer = answers.get(namespace) ?? (namespace !== '' && (await mayBring(node, namespace)));
      answers.set(namespace, answer);
      if (answer || isKnown(each)) admitted.push(each);
      else if (this.#denied.size < MAX_DENIED) this.#denied.set(each.id, each);
    }
    if (admitted.length < series.length) {
      const early = this.#askedAt + ASK_AGAIN_MS - clock.monotonic();
      if (early > 0) await clock.sleep(early, signal);
      this.#askedAt = clock.monotonic();
    }
    return admitted;
  }

  /** Those of the denied that the node may bring by now. */
  async again(signal: AbortSignal): Promise<readonly SeriesName[]> {
    if (this.#denied.size === 0 || this.#options.clock.monotonic() - this.#askedAt < ASK_AGAIN_MS) return [];
    const denied = [...this.#denied.values()];
    this.#denied.clear();
    return await this.admit(denied, signal);
  }
}

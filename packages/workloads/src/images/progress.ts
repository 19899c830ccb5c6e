/** Adds up how far the blobs of a pull are, and tells it at most a few times a second. */
import type { Clock } from '@skerry/base';
import type { Descriptor, Digest, PullProgress } from './contract.ts';
import type { BlobNews } from './fetch-blob.ts';

const TELL_EVERY_MS = 250;

export class ProgressMeter {
  readonly #clock: Clock;
  readonly #tell: (progress: PullProgress) => void;
  readonly #news = new Map<Digest, BlobNews>();
  readonly #present = new Set<Digest>();
  #wanted: readonly Descriptor[] = [];
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, tell: (progress: PullProgress) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** Config first, then the layers. */
  expect(wanted: readonly Descriptor[]): void {
    this.#wanted = wanted;
  }

  blob(digest: Digest, news: BlobNews): void {
    this.#news.set(digest, news);
    if (news.setback !== undefined) this.setback(news.setback);
    else if (this.#clock.monotonic() - this.#toldAt >= TELL_EVERY_MS) this.#say({});
  }

  done({ digest, size }: Descriptor): void {
    this.#news.set(digest, { presentBytes: size, receivedBytes: this.#news.get(digest)?.receivedBytes ?? 0 });
    this.#present.add(digest);
    this.#say({});
  }

  setback(setback: string): void {
    this.#say({ setback });
  }

  #say(more: { readonly setback?: string }): void {
    this.#toldAt = this.#clock.monotonic();
    const news = [...this.#news.values()];
    const [, ...layers] = this.#wanted;
    this.#tell({
      totalBytes: this.#wanted.reduce((sum, { size }) => sum + size, 0),
      presentBytes: news.reduce((sum, { presentBytes }) => sum + presentBytes, 0),
      receivedBytes: news.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0),
      layers: layers.length,
      layersPresent: layers.filter(({ digest }) => this.#present.has(digest)).length,
      ...more,
    });
  }
}

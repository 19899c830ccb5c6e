/** What an image may cost when it is unpacked. Archives can promise terabytes in a few kilobytes. */
import { LayerProblem } from './entry-name.ts';

export interface Bounds {
  /** Files, directories and links of all layers together. */
  readonly maxEntries: number;
  /** Bytes of all layers together, as archives without compression. */
  readonly maxBytes: number;
  /** How many times larger than it was sent a layer may be … */
  readonly maxRatio: number;
  /** … once it is larger than this. */
  readonly freeBytes: number;
}

export const DEFAULT_BOUNDS: Bounds = {
  maxEntries: 1_000_000,
  maxBytes: 32 * 1024 ** 3,
  maxRatio: 100,
  freeBytes: 64 * 1024 ** 2,
};

/** Counts while an image is unpacked, and throws LayerProblem past a bound. */
export class Meter {
  readonly #bounds: Bounds;
  #entries = 0;
  #bytes = 0;
  #layerBytes = 0;
  #sentBytes = 0;

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
  }

  beginLayer(sentBytes: number): void {
    this.#sentBytes = sentBytes;
    this.#layerBytes = 0;
  }

  addEntry(): void {
    const { maxEntries } = this.#bounds;
    if (++this.#entries > maxEntries) throw new LayerProblem(`the image has more than ${maxEntries} files`);
  }

  addBytes(count: number): void {
    const { maxBytes, maxRatio, freeBytes } = this.#bounds;
    this.#bytes += count;
    this.#layerBytes += count;
    if (this.#bytes > maxBytes) throw new LayerProblem(`the image unpacks to more than ${maxBytes} bytes`);
    if (this.#layerBytes <= freeBytes || this.#layerBytes <= this.#sentBytes * maxRatio) return;
    throw new LayerProblem(`it unpacks to more than ${maxRatio} times its size`);
  }
}

/** A queue of byte strings that knows their total. Costs nothing to speak of while it is empty. */

const NONE: readonly Uint8Array[] = [];
/** Room given back at the front once so many were taken. */
const COMPACT_AFTER = 256;

export class FrameQueue {
  #items: Uint8Array[] | undefined;
  #head = 0;
  #bytes = 0;

  get count(): number {
    return (this.#items?.length ?? 0) - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(item: Uint8Array): void {
    this.#items ??= [];
    this.#items.push(item);
    this.#bytes += item.length;
  }

  /** The item that many places behind the first. */
  at(index: number): Uint8Array | undefined {
    return (this.#items ?? NONE)[this.#head + index];
  }

  shift(): Uint8Array | undefined {
    const items = this.#items;
    const item = items?.[this.#head];
    if (items === undefined || item === undefined) return undefined;
    this.#head++;
    this.#bytes -= item.length;
    if (this.#head === items.length) this.clear();
    else if (this.#head >= COMPACT_AFTER && this.#head * 2 > items.length) this.#compact(items);
    return item;
  }

  clear(): void {
    this.#items = undefined;
    this.#head = 0;
    this.#bytes = 0;
  }

  #compact(items: Uint8Array[]): void {
    items.splice(0, this.#head);
    this.#head = 0;
  }
}

/** A first-in first-out queue that says its bound by name when it is full: back-pressure is the caller's to handle. */
export class BoundedQueue<T> {
  readonly name: string;
  readonly limit: number;
  #items: (T | undefined)[] = [];
  #head = 0;
  #size = 0;

  constructor(name: string, limit: number) {
    if (!Number.isInteger(limit) || limit < 1) throw new RangeError(`queue ${name} needs a bound of at least 1`);
    this.name = name;
    this.limit = limit;
  }

  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    return this.#size >= this.limit;
  }

  /** Returns false, and keeps the queue as it was, when the bound is reached. */
  offer(item: T): boolean {
    if (this.isFull) return false;
    this.#items.push(item);
    this.#size++;
    return true;
  }

  take(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    this.#size--;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) this.#compact();
    return item;
  }

  peek(): T | undefined {
    return this.#items[this.#head];
  }

  /** What waits, the oldest first; it stays where it is. */
  *[Symbol.iterator](): Generator<T> {
    for (const item of this.#items.slice(this.#head)) yield item as T;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
    this.#size = 0;
  }

  #compact(): void {
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }
}

/** One timer for any number of sessions: each stands in the slot of its deadline and is looked at when that slot comes. */
import type { Clock, Timer } from '@skerry/base';

export interface WheelItem {
  /** Monotonic milliseconds; infinite when there is nothing to wait for. */
  deadline(): number;
  onDue(now: number): void;
  /** The slot this item stands in; the wheel's own. */
  wheelSlot: number;
}

/** How late an item may be looked at. */
const SLOT_MS = 16;
/** Deadlines further away are looked at on the way. */
const SLOTS = 4096;
/** Of an item that stands nowhere. */
export const NO_SLOT = -1;

export class TimerWheel {
  readonly #clock: Clock;
  readonly #slots = new Map<number, WheelItem[]>();
  #timer: Timer | undefined;
  #firesAt = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Makes sure that `item` is looked at by its deadline. Cheap when the deadline moved away: it is then looked at in vain, once. */
  schedule(item: WheelItem): void {
    const deadline = item.deadline();
    if (deadline === Number.POSITIVE_INFINITY) return;
    const soonest = Math.floor(this.#clock.monotonic() / SLOT_MS);
    const slot = Math.min(Math.max(soonest, Math.ceil(deadline / SLOT_MS)), soonest + SLOTS);
    if (item.wheelSlot !== NO_SLOT && item.wheelSlot <= slot) return;
    item.wheelSlot = slot;
    const items = this.#slots.get(slot);
    if (items === undefined) this.#slots.set(slot, [item]);
    else items.push(item);
    this.#arm(slot);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#slots.clear();
  }

  #arm(slot: number): void {
    if (slot >= this.#firesAt) return;
    this.#timer?.cancel();
    this.#firesAt = slot;
    const delay = slot * SLOT_MS - this.#clock.monotonic();
    this.#timer = this.#clock.after(Math.max(0, delay), () => this.#fire(), { unref: true });
  }

  #fire(): void {
    const now = this.#clock.monotonic();
    this.#firesAt = Number.POSITIVE_INFINITY;
    const due = [...this.#slots.keys()].filter((slot) => slot * SLOT_MS <= now);
    for (const slot of due) {
      const items = this.#slots.get(slot) ?? [];
      this.#slots.delete(slot);
      for (const item of items) this.#look(item, slot, now);
    }
    let first = Number.POSITIVE_INFINITY;
    for (const slot of this.#slots.keys()) first = Math.min(first, slot);
    this.#arm(first);
  }

  #look(item: WheelItem, slot: number, now: number): void {
    // Moved to an earlier slot since, and looked at there.
    if (item.wheelSlot !== slot) return;
    item.wheelSlot = NO_SLOT;
    if (item.deadline() <= now) item.onDue(now);
    this.schedule(item);
  }
}

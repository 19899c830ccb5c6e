/** The runtimes of a node. Processes are there from the first moment; a container runtime may come late, die, and come back. */
import type { PodRuntime } from './runtime.ts';

/** Never empty: the first one is the node's default. */
export type Runtimes = readonly [PodRuntime, ...PodRuntime[]];

export interface RuntimeSet {
  /** All that have come, whether they answer at the moment or not: what they hold is held. */
  readonly known: Runtimes;
  /** Those that answer: what is new goes to one of them. */
  readonly serving: Runtimes;
  /** Hears of each runtime that comes later. */
  onArrival(listener: (runtime: PodRuntime) => void): Disposable;
}

export interface GrowingRuntimeSet extends RuntimeSet {
  /** From now on the node's default. */
  add(runtime: PodRuntime): void;
}

/** `always` answers at all times. */
export function createRuntimeSet(always: PodRuntime): GrowingRuntimeSet {
  const later: PodRuntime[] = [];
  const listeners = new Set<(runtime: PodRuntime) => void>();
  return {
    get known() {
      return inOrder(later, always);
    },
    get serving() {
      return inOrder(
        later.filter((runtime) => runtime.isServing?.() ?? true),
        always,
      );
    },
    onArrival: (listener) => {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    add: (runtime) => {
      later.unshift(runtime);
      for (const listener of listeners) listener(runtime);
    },
  };
}

function inOrder([first, ...rest]: readonly PodRuntime[], always: PodRuntime): Runtimes {
  return first === undefined ? [always] : [first, ...rest, always];
}

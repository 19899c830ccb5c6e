/** What the worker remembers of one container between two looks at it. */
import type { ContainerSnapshot } from '../runtime.ts';
import { hashOf } from './hash.ts';
import type { RestartBackoff } from './restart-backoff.ts';
import type { Container, Pod, Resources } from './types.ts';
import type { ContainerView } from './view.ts';

export class ContainerEntry {
  container: Container;
  readonly role: ContainerView['role'];
  current: ContainerSnapshot | undefined;
  previous: ContainerSnapshot | undefined;
  lastWords: string | undefined;
  previousWords: string | undefined;
  problem: ContainerView['problem'] | undefined;
  busy: ContainerView['busy'] | undefined;
  isStarted = false;
  isReady = false;
  doom: ContainerView['doom'] | undefined;
  backoff: RestartBackoff | undefined;
  imageId: string | undefined;
  /** What the current attempt runs with. */
  allocated: Resources | undefined;
  /** The attempt that counts no more since all containers began anew. */
  renewed: string | undefined;
  /** The owner has been told of the wait before the next try. */
  isBackingOff = false;
  /** Ends a pull that is under way. */
  cancelPull: (() => void) | undefined;
  /** Ends the probes of the current attempt. */
  probing: AbortController | undefined;
  /** Shortens the grace of a stop that is under way. */
  hurry: ((graceSeconds: number) => void) | undefined;
  #hash: string;

  constructor(container: Container, role: ContainerView['role']) {
    this.container = container;
    this.role = role;
    this.#hash = hashOf(container);
  }

  update(container: Container): void {
    if (container === this.container) return;
    this.container = container;
    this.#hash = hashOf(container);
  }

  /**
   * A newer attempt pushes the current one into the past. Gives back the one that nobody needs any more; it may still run when
   * the same attempt was started twice, by an agent that did not hear of the first.
   */
  accept(snapshot: ContainerSnapshot): ContainerSnapshot | undefined {
    const { current } = this;
    if (current === undefined || current.id === snapshot.id) {
      this.current = snapshot;
      return undefined;
    }
    if (snapshot.labels.attempt < current.labels.attempt) return this.#acceptOlder(snapshot);
    if (snapshot.labels.attempt === current.labels.attempt && current.exit === undefined) return snapshot;
    const dropped = this.previous;
    this.previous = current;
    this.previousWords = this.lastWords;
    this.current = snapshot;
    this.lastWords = undefined;
    this.isBackingOff = false;
    return dropped;
  }

  #acceptOlder(snapshot: ContainerSnapshot): ContainerSnapshot | undefined {
    const known = this.previous;
    if (known === undefined || known.id === snapshot.id) {
      this.previous = snapshot;
      return undefined;
    }
    if (known.labels.attempt > snapshot.labels.attempt) return snapshot;
    this.previous = snapshot;
    return known;
  }

  stopProbing(): void {
    this.probing?.abort();
    this.probing = undefined;
  }

  view(): ContainerView {
    const { container, role, isStarted, isReady, isBackingOff } = this;
    return {
      container,
      role,
      isStarted,
      isReady,
      isBackingOff,
      hash: this.#hash,
      ...defined({
        current: this.current,
        previous: this.previous,
        lastWords: this.lastWords,
        previousWords: this.previousWords,
        problem: this.problem,
        busy: this.busy,
        doom: this.doom,
        backoff: this.backoff,
        imageId: this.imageId,
        allocated: this.allocated,
        isRenewed: this.renewed !== undefined && this.renewed === this.current?.id ? true : undefined,
      }),
    };
  }
}

/** Entries in the order they start: init containers and sidecars as written, then the main ones, then the ephemeral ones. */
export function entriesOf(pod: Pod): ContainerEntry[] {
  const { initContainers = [], containers, ephemeralContainers = [] } = pod.spec;
  return [
    ...initContainers.map((one) => new ContainerEntry(one, one.restartPolicy === 'Always' ? 'sidecar' : 'init')),
    ...containers.map((one) => new ContainerEntry(one, 'main')),
    ...ephemeralContainers.map((one) => new ContainerEntry(one, 'ephemeral')),
  ];
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}

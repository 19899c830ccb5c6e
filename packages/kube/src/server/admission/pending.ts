/** Admission that waits for somebody: the request begins anew once they have answered. */
import type { RandomBytes } from '@skerry/base';
import { AdmissionPending, type Call } from '../engine.ts';

/** Changes, changes after changes, objections: each is asked at most once for one state of the object, which may move meanwhile. */
const MAX_ATTEMPTS = 8;

/** Runs `attempt`, and again each time that what it waited for is there. */
export async function whenAdmitted<T>(call: Call, attempt: () => Promise<T> | T): Promise<T> {
  const warned = call.warnings.length;
  for (let count = 1; ; count++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof AdmissionPending) || count === MAX_ATTEMPTS) throw error;
      call.warnings.length = warned;
      await error.ready;
    }
  }
}

/** What a request draws by lot, it draws the same again when it begins anew: those who were asked saw it. */
export class SteadyLots {
  readonly #source: RandomBytes;
  readonly #drawn: Uint8Array[] = [];
  #next = 0;

  constructor(source: RandomBytes) {
    this.#source = source;
  }

  restart(): void {
    this.#next = 0;
  }

  /** A copy: who draws may write into it. */
  readonly draw = (size: number): Uint8Array => {
    const known = this.#drawn[this.#next];
    const bytes = known?.length === size ? known : this.#source(size);
    this.#drawn[this.#next++] = bytes;
    return bytes.slice();
  };
}

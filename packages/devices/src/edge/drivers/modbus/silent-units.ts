/**
 * Units that did not answer last time. A line is open whether a device is at its end or not, so whoever connects to such
 * a unit asks it first what it left unanswered: a device that is off is then Disconnected, and not Connected without values.
 */

/** More are forgotten, the oldest first; they are then merely connected to without being asked. */
const MAX_SILENT = 1024;

export class SilentUnits {
  readonly #asked: Map<string, Uint8Array>;
  readonly #endpoint: string;

  /** `asked` is shared by all endpoints. */
  constructor(asked: Map<string, Uint8Array>, endpoint: string) {
    this.#asked = asked;
    this.#endpoint = endpoint;
  }

  heard(unit: number): void {
    if (this.#asked.size > 0) this.#asked.delete(this.#key(unit));
  }

  missed(unit: number, pdu: Uint8Array): void {
    const key = this.#key(unit);
    this.#asked.delete(key);
    this.#asked.set(key, pdu);
    const [oldest] = this.#asked.keys();
    if (this.#asked.size > MAX_SILENT && oldest !== undefined) this.#asked.delete(oldest);
  }

  /** What it left unanswered. */
  unanswered(unit: number): Uint8Array | undefined {
    return this.#asked.get(this.#key(unit));
  }

  #key(unit: number): string {
    return `${unit} ${this.#endpoint}`;
  }
}

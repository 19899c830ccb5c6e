/** Chance that a printed seed brings back. */

export interface Dice {
  /** A whole number from 0 up to, but without, `below`. */
  roll(below: number): number;
  pick<T>(choices: readonly T[]): T;
}

/** The generator mulberry32. */
export function dice(seed: number): Dice {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const roll = (below: number) => Math.floor(next() * below);
  return {
    roll,
    pick: (choices) => {
      const chosen = choices[roll(choices.length)];
      if (chosen === undefined) throw new Error('nothing to pick from');
      return chosen;
    },
  };
}

/** Filters that smooth numbers, one value in, one out. */
import type { Filter } from '../../resources/device.ts';

export interface NumberFilter {
  next(number: number): number;
}

export function createFilter({ type, window = 5, alpha = 0.5 }: Filter): NumberFilter {
  switch (type) {
    case 'Median':
      return overWindow(window, medianOf);
    case 'Mean':
      return overWindow(window, meanOf);
    case 'Exponential':
      return exponential(alpha);
  }
}

/** Over the last values; over fewer until there are so many. What is no number is passed on and not remembered. */
function overWindow(size: number, combine: (numbers: readonly number[]) => number): NumberFilter {
  const numbers: number[] = [];
  return {
    next: (number) => {
      if (!Number.isFinite(number)) return number;
      if (numbers.length === size) numbers.shift();
      numbers.push(number);
      return combine(numbers);
    },
  };
}

function medianOf(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Summed anew each time: a running sum would gather rounding errors for years. */
function meanOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

function exponential(alpha: number): NumberFilter {
  let mean: number | undefined;
  return {
    next: (number) => {
      if (!Number.isFinite(number)) return number;
      mean = mean === undefined ? number : mean + alpha * (number - mean);
      return mean;
    },
  };
}

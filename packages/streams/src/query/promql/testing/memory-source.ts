/** A source of a few series in memory, for tests of what reads them. */
import type { Labels, Matcher, SeriesResult } from '../../../store/index.ts';
import type { SeriesSource } from '../select.ts';

export interface Given {
  readonly labels: Labels;
  readonly points: readonly (readonly [time: number, value: number, quality?: number])[];
}

export function memorySource(given: readonly Given[]): SeriesSource {
  const accepts = (labels: Labels, matchers: readonly Matcher[]): boolean =>
    matchers.every(({ label, op, value }) => {
      const own = labels[label] ?? '';
      const same = op === '=' || op === '!=' ? own === value : new RegExp(`^(?:${value})$`, 's').test(own);
      return same === (op === '=' || op === '=~');
    });
  const storedOf = (index: number, labels: Labels) => ({ id: index, labels, type: 'float64' as const });
  return {
    labelNames: () => [...new Set(given.flatMap(({ labels }) => Object.keys(labels)))],
    labelValues: (name) => [...new Set(given.flatMap(({ labels }) => labels[name] ?? []))],
    seriesOf: (matchers) =>
      given.flatMap(({ labels }, index) => (accepts(labels, matchers) ? [storedOf(index, labels)] : [])),
    query: async ({ matchers, from, to }) => {
      const series = given.flatMap(({ labels, points }, index): SeriesResult[] => {
        const inside = points.filter(([time]) => time >= from && time < to);
        if (inside.length === 0 || !accepts(labels, matchers)) return [];
        const rows = {
          length: inside.length,
          times: Float64Array.from(inside, ([time]) => time),
          values: Float64Array.from(inside, ([, value]) => value),
          qualities: Uint8Array.from(inside, ([, , quality]) => quality ?? 192),
        };
        return [{ series: storedOf(index, labels), rows }];
      });
      return { series, scanned: 0, damaged: 0 };
    },
  };
}

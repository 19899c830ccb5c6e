/** Series as people write and read them. */
import { parsePromQl } from '../query/promql/parse.ts';

/** `load{device="press-1"}` is one, `rate(load[1m])` is not. Throws for what is no PromQL. */
export function isSelector(expression: string): boolean {
  const expr = parsePromQl(expression);
  return expr.kind === 'vector' && expr.offset === 0 && expr.at === undefined;
}

const NAMING = ['__name__', 'property'];

/** As PromQL writes it, without the namespace, which everything has that is asked for. */
export function seriesName(labels: Readonly<Record<string, string>>): string {
  const naming = NAMING.find((label) => labels[label] !== undefined);
  const rest = Object.entries(labels).filter(([label]) => label !== naming && label !== 'namespace');
  const name = naming === undefined ? '' : (labels[naming] ?? '');
  if (rest.length === 0 && name !== '') return name;
  return `${name}{${rest.map(([label, value]) => `${label}=${JSON.stringify(value)}`).join(', ')}}`;
}

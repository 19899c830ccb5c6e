/** What a series is called in an engine: a name, and labels beside it. */
import type { Labels } from '../store/index.ts';

export interface SeriesName {
  readonly name: string;
  /** In the order of their names, without the one that became the name. */
  readonly labels: readonly (readonly [string, string])[];
}

/** Labels that give the name, the first that is there: as Prometheus has it, as devices have it, as rules have it. */
const NAMING = ['__name__', 'property', 'name', 'field'];
const NAMELESS = 'value';

export function nameOf(labels: Labels, prefix = ''): SeriesName {
  const naming = NAMING.find((label) => (labels[label] ?? '') !== '');
  const rest = Object.entries(labels).filter(([label, value]) => label !== naming && value !== '');
  rest.sort(([a], [b]) => (a < b ? -1 : 1));
  return { name: `${prefix}${naming === undefined ? NAMELESS : labels[naming]}`, labels: rest };
}

/** As Prometheus wants metric names: what is not allowed becomes an underscore. */
export function metricName(name: string): string {
  const clean = name.replaceAll(/[^a-zA-Z0-9_:]/g, '_');
  return /^\d/.test(clean) || clean === '' ? `_${clean}` : clean;
}

export function labelName(name: string): string {
  return metricName(name).replaceAll(':', '_');
}

const PLACEHOLDER = /\{([^{}]+)\}/g;

/** `plant.{device}.{property}` with the labels put in, each made fit by `clean`; what a series does not have is `none`. */
export function fillTemplate(template: string, labels: Labels, clean: (value: string) => string): string {
  return template.replaceAll(PLACEHOLDER, (_whole, label: string) => clean(labels[label] ?? '') || 'none');
}

/** Resource quantities (`500m`, `64Mi`, `1e3`) as numbers, and what of them a control group takes. */
import type { ResourceLimits } from '../supervisor/protocol.ts';
import type { Resources } from './pod/types.ts';

const FORMAT = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei))?$/;

const SUFFIXES: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** Undefined for what is no quantity. */
export function parseQuantity(text: string | number): number | undefined {
  const match = FORMAT.exec(String(text));
  if (match === null) return undefined;
  const [, digits = '', exponent = '', suffix] = match;
  return Number(`${digits}${exponent}`) * (suffix === undefined ? 1 : (SUFFIXES[suffix] ?? 1));
}

export function limitsOf(resources: Resources | undefined): ResourceLimits {
  const { limits = {}, requests = {} } = resources ?? {};
  const memory = quantityAt(limits, 'memory');
  const cpu = quantityAt(limits, 'cpu');
  const share = quantityAt(requests, 'cpu') ?? cpu;
  return {
    ...(memory === undefined || memory <= 0 ? {} : { memoryBytes: Math.ceil(memory) }),
    ...(cpu === undefined || cpu <= 0 ? {} : { cpuMillis: Math.ceil(cpu * 1000) }),
    ...(share === undefined ? {} : { cpuShareMillis: Math.ceil(share * 1000) }),
  };
}

function quantityAt(list: Readonly<Record<string, string>> | undefined, name: string): number | undefined {
  const text = list?.[name];
  return text === undefined ? undefined : parseQuantity(text);
}

/** Resource quantities (`500m`, `64Mi`, `1e3`) as numbers, and what of them a control group takes. */
import { parseQuantity as parseExactly, quantityToNumber } from '@skerry/api/quantity';
import type { ResourceLimits } from '../supervisor/protocol.ts';
import type { Resources } from './pod/types.ts';

/** Undefined for what is no quantity. */
export function parseQuantity(text: string | number): number | undefined {
  return parseExactly(text) === undefined ? undefined : quantityToNumber(text);
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

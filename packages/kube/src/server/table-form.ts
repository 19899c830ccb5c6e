/** Tables, as kubectl prints them. */
import type { KubeObject } from '@skerry/api';
import { type IncludeObject, toTable } from '@skerry/api/printers';
import type { Call, Engine } from './engine.ts';

const INCLUDES: readonly string[] = ['None', 'Metadata', 'Object'];

/** `metadata` is that of the list, or just a resourceVersion for a single object. */
export function renderTable(
  engine: Pick<Engine, 'clock'>,
  call: Pick<Call, 'kind' | 'request'>,
  objects: readonly KubeObject[],
  metadata: object,
): object {
  return toTable(call.kind.row, objects, {
    includeObject: includeObject(call.request.query),
    now: engine.clock.now(),
    metadata: metadata as Record<string, unknown>,
  });
}

function includeObject(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject') ?? '';
  return INCLUDES.includes(value) ? (value as IncludeObject) : 'Metadata';
}

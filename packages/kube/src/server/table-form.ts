/** Tables, as kubectl prints them. */
import type { KubeObject } from '@skerry/api';
import type { Call } from './engine.ts';
import type { ListMeta } from './list.ts';
import { toPartialMetadata } from './metadata-form.ts';

export function renderTable(_call: Call, objects: readonly KubeObject[], metadata: ListMeta | object): object {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: [{ name: 'Name', type: 'string', format: 'name', description: '', priority: 0 }],
    rows: objects.map((object) => ({ cells: [object.metadata.name], object: toPartialMetadata(object) })),
  };
}

/** A stored object in the form the client asked for. */
import type { StoredObject } from '../store/contract.ts';
import type { ApiResponse } from './contract.ts';
import { type Call, type Engine, viewOf } from './engine.ts';
import { toPartialMetadata } from './metadata-form.ts';
import { toServedJson, toServedObject } from './object-text.ts';
import { respondJson, respondText } from './respond.ts';
import { renderTable } from './table-form.ts';

export function respondObject(engine: Engine, call: Call, status: number, stored: StoredObject): ApiResponse {
  const view = viewOf(call.kind);
  switch (call.wanted.form) {
    case 'object':
      return respondText(status, toServedJson(stored, view), call.wanted);
    case 'metadata':
      return respondJson(status, toPartialMetadata(toServedObject(stored, view)), call.wanted);
    case 'table': {
      const object = toServedObject(stored, view);
      const { resourceVersion } = object.metadata;
      return respondJson(status, renderTable(engine, call, [object], { resourceVersion }), call.wanted);
    }
  }
}

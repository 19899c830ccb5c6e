/** Discovery and OpenAPI documents, made when first asked for and again when the table changes. */
import type { ApiRequest, ApiResponse } from './contract.ts';
import type { Engine } from './engine.ts';

export function answerDiscovery(_engine: Engine, _request: ApiRequest, _path: string): ApiResponse | undefined {
  return undefined;
}

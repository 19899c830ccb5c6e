/** Who wrote which field: kept on every write. */
import type { KubeObject } from '@skerry/api';
import type { Call, Engine } from './engine.ts';
import type { WriteOptions } from './write-options.ts';

export interface TrackedWrite {
  readonly object: KubeObject;
  readonly old?: KubeObject;
  readonly options: WriteOptions;
  readonly operation: 'create' | 'update';
}

export function trackFields(_engine: Engine, _call: Call, _write: TrackedWrite): void {}

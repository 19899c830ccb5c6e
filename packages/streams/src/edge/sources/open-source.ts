/** The source that a stream asks for. */
import type { StreamSpec } from '../../kinds/stream.ts';
import type { NodeValues } from '../node-values.ts';
import { openDevices } from './devices.ts';
import { openFile } from './file.ts';
import { openHttp } from './http.ts';
import { openHttpPush } from './http-push.ts';
import { openMqtt } from './mqtt.ts';
import { openSimulator } from './simulator.ts';
import type { KeepMessage, Source, SourceContext, SourceTarget } from './source.ts';

export interface OpenSourceOptions {
  readonly spec: StreamSpec;
  readonly target: SourceTarget;
  readonly context: SourceContext;
  readonly values: NodeValues;
  /** Of streams whose messages are kept before they are read. */
  readonly keep?: KeepMessage;
  /** Where a source that can go back is to go on. */
  readonly position?: unknown;
}

/** Of a rule’s results, the rules themselves take care. */
export function openSource({ spec, target, context, values, position, keep }: OpenSourceOptions): Source | undefined {
  const { devices, mqtt, http, httpPush, file, simulator } = spec.source;
  if (devices !== undefined) return openDevices(spec, target, context, values, position);
  if (mqtt !== undefined) return openMqtt(spec, target, context, keep);
  if (http !== undefined) return openHttp(spec, target, context);
  if (httpPush !== undefined) return openHttpPush(spec, target, context);
  if (file !== undefined) return openFile(spec, target, context, position);
  if (simulator !== undefined) return openSimulator(spec, target, context);
  return undefined;
}

/** The secret that it is opened with. */
export function secretNameOf({ source: { mqtt, http, httpPush } }: StreamSpec): string | undefined {
  return (mqtt ?? http ?? httpPush)?.secretName;
}

/** Whether each rule reads for itself, from where it is. */
export function isReadAlone({ source }: StreamSpec): boolean {
  return source.file !== undefined;
}

/** Whether its messages are kept until all rules that read them have them safe. */
export function isKept({ source: { mqtt } }: StreamSpec): boolean {
  return mqtt !== undefined && (mqtt.qos ?? DEFAULT_QOS) > 0;
}

const DEFAULT_QOS = 1;

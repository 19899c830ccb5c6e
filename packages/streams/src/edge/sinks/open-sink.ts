/** The sink that a rule asks for. */
import type { RuleSink } from '../../kinds/rule.ts';
import { busSink } from './bus.ts';
import { deviceSink } from './device.ts';
import { fileSink } from './file.ts';
import { httpSink } from './http.ts';
import { logSink } from './log.ts';
import { mqttSink } from './mqtt.ts';
import type { Sink, SinkContext } from './sink.ts';
import { storeSink } from './store.ts';

/** Undefined when it says no place. */
export function openSink(context: SinkContext): Sink | undefined {
  const { log, bus, mqtt, http, file, device, store } = context.sink;
  if (log !== undefined) return logSink(context);
  if (bus !== undefined) return busSink(context);
  if (mqtt !== undefined) return mqttSink(context);
  if (http !== undefined) return httpSink(context);
  if (file !== undefined) return fileSink(context);
  if (device !== undefined) return deviceSink(context);
  if (store !== undefined) return storeSink(context);
  return undefined;
}

export function sinkSecretOf({ mqtt, http }: RuleSink): string | undefined {
  return (mqtt ?? http)?.secretName;
}

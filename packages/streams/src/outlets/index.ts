/** Outlets: series on their way to engines of somebody else. */
import type { Outlet } from '../kinds/index.ts';
import type { OutletTarget, TargetSettings } from './target.ts';

export { OutletError, type OutletRows, type OutletTarget, type Sent, type TargetSettings } from './target.ts';

type OutletType = Outlet['spec']['type'];

/** Each library is loaded by the first outlet that needs it. */
const OPENERS: Readonly<Record<OutletType, (settings: TargetSettings) => Promise<OutletTarget>>> = {
  PrometheusRemoteWrite: async (settings) => (await import('./prometheus.ts')).remoteWriteTarget(settings),
  InfluxLine: async (settings) => (await import('./influx.ts')).influxTarget(settings),
  PostgreSql: async (settings) => (await import('./postgresql.ts')).postgresTarget(settings),
  Graphite: async (settings) => (await import('./graphite.ts')).graphiteTarget(settings),
  Nats: async (settings) => (await import('./nats.ts')).natsTarget(settings),
  Mqtt: async (settings) => (await import('./mqtt.ts')).mqttTarget(settings),
  Http: async (settings) => (await import('./http.ts')).httpTarget(settings),
  Parquet: async (settings) => (await import('./parquet.ts')).parquetTarget(settings),
};

/** Connects to nothing yet: the first send does. Throws `OutletError` for options that make no sense. */
export function openTarget(type: OutletType, settings: TargetSettings): Promise<OutletTarget> {
  return OPENERS[type](settings);
}

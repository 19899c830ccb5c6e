/** What the telemetry endpoints of a shore answer. */
import type { Clock } from '@skerry/base';
import type { SeriesStore } from '../../store/index.ts';
import type { SqlRunner } from '../sql/run-sql.ts';
import { jsonAnswer, type QueryAnswer, type QueryRequest } from './answer.ts';
import { exportEndpoint } from './export-api.ts';
import { answerPrometheus } from './prometheus-api.ts';
import { sqlEndpoint } from './sql-api.ts';
import { answerLines, answerRemoteWrite } from './write-api.ts';

export interface QueryEndpointsOptions {
  readonly store: SeriesStore;
  readonly clock: Clock;
  readonly sql?: SqlRunner;
}

const PROMETHEUS = '/telemetry/prometheus/api/v1';

/** SQL at `/telemetry/sql`, files at `/telemetry/export`, Prometheus' API and remote write below `/telemetry/prometheus`, the line protocol below `/telemetry/influx`. */
export function queryEndpoints({
  store,
  clock,
  sql,
}: QueryEndpointsOptions): (request: QueryRequest) => Promise<QueryAnswer> {
  const runSql = sql === undefined ? undefined : sqlEndpoint(store, clock, sql);
  const runExport = exportEndpoint(store, clock);
  const writesLines = ['/telemetry/influx/write', '/telemetry/influx/api/v2/write'];
  return async (request) => {
    const path = request.path.replace(/\/$/, '');
    if (path === '/telemetry/sql' && runSql !== undefined) return await runSql(request);
    if (path === '/telemetry/export') return runExport(request);
    if (path === `${PROMETHEUS}/write`) return await answerRemoteWrite(request, store);
    if (path.startsWith(`${PROMETHEUS}/`)) {
      return await answerPrometheus(path.slice(PROMETHEUS.length), request, { store, clock });
    }
    if (writesLines.includes(path)) return await answerLines(request, store, clock);
    return jsonAnswer(404, { error: `there is no ${path}` });
  };
}

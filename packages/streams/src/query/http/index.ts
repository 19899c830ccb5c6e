/** What the telemetry endpoints of a shore answer. */
import type { Clock } from '@skerry/base';
import type { SeriesStore } from '../../store/index.ts';
import type { SqlRunner } from '../sql/run-sql.ts';
import type { QueryPath } from './answer.ts';
import { answerPrometheus } from './prometheus-api.ts';
import { sqlEndpoint } from './sql-api.ts';
import { answerLines, answerRemoteWrite } from './write-api.ts';

export type { QueryAnswer, QueryPath, QueryRequest } from './answer.ts';

const PROMETHEUS = '/telemetry/prometheus';
const INFLUX = '/telemetry/influx';

export interface QueryPathsOptions {
  readonly store: SeriesStore;
  readonly clock: Clock;
  readonly sql: SqlRunner;
}

/** SQL at `/telemetry/sql`, Prometheus' API and remote write below `/telemetry/prometheus`, the line protocol below `/telemetry/influx`. */
export function queryPaths({ store, clock, sql }: QueryPathsOptions): readonly QueryPath[] {
  return [
    { path: '/telemetry/sql', handle: sqlEndpoint(store, clock, sql) },
    { path: `${PROMETHEUS}/api/v1/write`, handle: (request) => answerRemoteWrite(request, store) },
    {
      path: `${PROMETHEUS}/api/v1/`,
      handle: (request) => {
        const path = request.path.slice(`${PROMETHEUS}/api/v1`.length).replace(/\/$/, '');
        return answerPrometheus(path, request, { store, clock });
      },
    },
    ...['/write', '/api/v2/write'].map((path) => ({
      path: `${INFLUX}${path}`,
      handle: (request: Parameters<QueryPath['handle']>[0]) => answerLines(request, store, clock),
    })),
  ];
}

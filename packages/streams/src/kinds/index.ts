/** The kinds of `streams.skerry.io`: definitions, and what their fields mean. */
import type { KubeObject } from '@skerry/api';
import { outletDefinition } from './outlet.ts';
import { retentionDefinition } from './retention.ts';
import { routeDefinition } from './route.ts';
import { ruleDefinition } from './rule.ts';
import { streamDefinition } from './stream.ts';
import { tableDefinition } from './table.ts';

export { OUTLETS, RETENTIONS, ROUTES, RULES, STREAMS, STREAMS_API_VERSION, STREAMS_GROUP, TABLES } from './group.ts';
export type { Outlet } from './outlet.ts';
export type { Retention, RetentionNodeStatus, RetentionSpec, RetentionTier } from './retention.ts';
export type { BudgetWindow, Day, Route, RouteBudget, RouteNodeStatus, RouteSpec } from './route.ts';
export type { Rule } from './rule.ts';
export type { SeriesMatcher } from './shared.ts';
export type { Stream } from './stream.ts';
export type { Table } from './table.ts';

/** What the cloud installs. */
export function streamCrds(): readonly KubeObject[] {
  return [streamDefinition, tableDefinition, ruleDefinition, outletDefinition, retentionDefinition, routeDefinition];
}

/** The language of rules: text to statement to plan. Pure: no I/O, no clock but the one in the context. */
export type * from './ast.ts';
export type { Catalog, Relation, UserFunction } from './catalog.ts';
export { type ContextOptions, createContext } from './context.ts';
export { type DataType, type Field, type ScalarKind, type Schema, showType } from './data-type.ts';
export { FUNCTIONS } from './functions/index.ts';
export { isTooDeep, MAX_JSON_DEPTH } from './functions/json-depth.ts';
export type { Family, SqlFunction } from './functions/specification.ts';
export { parse } from './parser/parse.ts';
export { usage } from './plan/bind-call.ts';
export { type ExplainedNode, explain, explainText, inputsOf } from './plan/explain.ts';
export type * from './plan/plan.ts';
export { plan } from './plan/planner.ts';
export { print } from './print.ts';
export { RowError, SqlError, type SqlProblem } from './sql-error.ts';
export { instantOf, UTC, type Zone, zoneOf } from './time/zone.ts';
export type { EvalContext, Evaluate, Hits, Input, Predicate, Row, Saved, Tuple, Value } from './value.ts';

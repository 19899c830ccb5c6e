export { ageOf, humanDuration } from './duration.ts';
export { type PodSummary, summarizePod } from './pod.ts';
export type { Cell, Column } from './printer.ts';
export {
  cellsFor,
  columnsFor,
  type IncludeObject,
  type PartialObjectMetadata,
  type PrintedRow,
  partialMetadata,
  type RowCondition,
  type Table,
  type TableOptions,
  type TableRow,
  toTable,
} from './table.ts';

/** What an operator costs: a model, from measurements of each kind of operator on one core, for comparing them with each other. */
import type { RuleNodeStatus, RuleSpec } from '../../kinds/rule.ts';
import type { PlanNode } from '../../sql/index.ts';
import { limitsOf } from './prepare.ts';

export interface OperatorCost {
  /** For each row that comes in. */
  readonly nanosecondsPerRow: number;
  /** At the bounds of the rule’s options; 0: it keeps nothing. */
  readonly maxStateBytes: number;
  /** Over the last minute, at the node that is looked at. */
  readonly rowsPerSecond?: number;
  /** What that takes of one core, from 0 to 1. */
  readonly coreShare?: number;
}

/** Beside what its calls keep, of each group or partition. */
const KEY_BYTES = 150;
const CALL_BYTES = 60;
/** A row of some ten fields. */
const ROW_BYTES = 250;

export function costOf(node: PlanNode, spec: RuleSpec, status: RuleNodeStatus | undefined): OperatorCost {
  const nanosecondsPerRow = nanosecondsOf(node);
  const cost = { nanosecondsPerRow, maxStateBytes: stateBytesOf(node, spec) };
  const rowsPerSecond = rateOf(node, status);
  if (rowsPerSecond === undefined) return cost;
  return { ...cost, rowsPerSecond, coreShare: (rowsPerSecond * nanosecondsPerRow) / 1e9 };
}

function nanosecondsOf(node: PlanNode): number {
  switch (node.kind) {
    case 'source':
    case 'filter':
    case 'having':
      return 15;
    case 'limit':
      return 10;
    case 'project':
    case 'unnest':
      return 100;
    case 'analytic':
      return 40 * node.calls.length;
    case 'aggregate':
      return 30 + 17 * node.calls.length;
    case 'window':
      // Each row of a sliding window adds up what blocks and edges hold, unless it is to trigger first.
      if (node.shape.type === 'sliding') return node.trigger === undefined ? 1800 : 100;
      return node.keepsRows ? 40 : 15;
    case 'join':
      return node.keys.length === 0 ? 3000 : 300;
    case 'lookup':
      return 2000;
    case 'order':
      return 200;
  }
}

function stateBytesOf(node: PlanNode, spec: RuleSpec): number {
  const { keys, windowRows } = limitsOf(spec);
  switch (node.kind) {
    case 'window':
      return node.keepsRows || node.shape.type === 'sliding' ? windowRows * ROW_BYTES : 0;
    case 'aggregate':
      return (node.key === undefined ? 1 : keys) * (KEY_BYTES + CALL_BYTES * node.calls.length);
    case 'analytic':
      return node.calls.reduce((sum, call) => sum + (call.partition === undefined ? 1 : keys) * KEY_BYTES, 0);
    case 'lookup':
      return windowRows * ROW_BYTES;
    default:
      return 0;
  }
}

/** Rows of the operator, as many times those of the rule as since it started. */
function rateOf({ id }: PlanNode, status: RuleNodeStatus | undefined): number | undefined {
  const { rowsIn = 0, rowsInPerSecond, operators = [] } = status ?? {};
  const counted = operators.find((each) => each.id === id);
  if (counted === undefined || rowsInPerSecond === undefined) return undefined;
  return rowsIn === 0 ? 0 : (rowsInPerSecond * (counted.rowsIn ?? 0)) / rowsIn;
}

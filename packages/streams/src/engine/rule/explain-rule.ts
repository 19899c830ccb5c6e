/** A rule for people: its plan with what its operators have done, and how it is at its nodes. */
import type { RuleNodeStatus, RuleSpec } from '../../kinds/rule.ts';
import { type ExplainedNode, explain, inputsOf, type Plan, type PlanNode } from '../../sql/index.ts';
import { costOf, type OperatorCost } from './cost.ts';
import { limitsOf } from './prepare.ts';

export interface OperatorLine {
  /** How deep it stands below the result. */
  readonly depth: number;
  readonly id: string;
  readonly kind: string;
  readonly says: string;
  readonly notes: readonly string[];
  /** What it does by row and keeps, in words. */
  readonly keeps: string;
  readonly cost?: OperatorCost;
  readonly counts?: { readonly rowsIn: number; readonly rowsOut: number; readonly errors: number };
}

/** Counters are those of one node. */
export function explainRule(plan: Plan, spec: RuleSpec, status: RuleNodeStatus | undefined): readonly OperatorLine[] {
  const counts = new Map(status?.operators?.map((each) => [each.id, each]) ?? []);
  const nodes = nodesOf(plan.root);
  const lines: OperatorLine[] = [];
  const visit = (node: ExplainedNode, depth: number) => {
    const counted = counts.get(node.id);
    const { rowsIn = 0, rowsOut = 0, errors = 0 } = counted ?? {};
    const { id, kind, says, notes } = node;
    const planned = nodes.get(id);
    const cost = planned === undefined ? {} : { cost: costOf(planned, spec, status) };
    const line = { depth, id, kind, says, notes, keeps: keptBy(node, spec), ...cost };
    lines.push(counted === undefined ? line : { ...line, counts: { rowsIn, rowsOut, errors } });
    for (const input of node.inputs) visit(input, depth + 1);
  };
  visit(explain(plan), 0);
  return lines;
}

function nodesOf(root: PlanNode): ReadonlyMap<string, PlanNode> {
  const nodes = new Map<string, PlanNode>();
  const visit = (node: PlanNode) => {
    nodes.set(node.id, node);
    for (const input of inputsOf(node)) visit(input);
  };
  visit(root);
  return nodes;
}

/** What it takes by row, and what it keeps. */
function keptBy({ kind, notes }: ExplainedNode, spec: RuleSpec): string {
  const limits = limitsOf(spec);
  const keys = `at most ${limits.keys} keys`;
  const rows = `at most ${limits.windowRows} rows`;
  switch (kind) {
    case 'window':
      return notes.includes('keeps rows') ? `keeps ${rows}` : `keeps ${keys}`;
    case 'aggregate':
    case 'analytic':
      return `keeps ${keys}`;
    case 'join':
      return notes.includes('every pair is compared') ? 'each row with each' : 'by hash';
    case 'lookup':
      return 'a question a row, or the cache';
    case 'order':
      return 'sorts what is given out at once';
    default:
      return 'keeps nothing';
  }
}

export function explainText(lines: readonly OperatorLine[]): string {
  return lines
    .map(({ depth, kind, says, notes, keeps, cost, counts }) => {
      const remarks = [...notes, keeps, ...costWords(cost)].join('; ');
      const counted =
        counts === undefined
          ? ''
          : `   in ${counts.rowsIn}, out ${counts.rowsOut}${counts.errors === 0 ? '' : `, failed ${counts.errors}`}`;
      return `${'  '.repeat(depth)}${kind} ${says} (${remarks})${counted}\n`;
    })
    .join('');
}

const MIB = 1024 * 1024;

function costWords(cost: OperatorCost | undefined): readonly string[] {
  if (cost === undefined) return [];
  const { nanosecondsPerRow, maxStateBytes, rowsPerSecond, coreShare = 0 } = cost;
  const state = maxStateBytes < MIB ? [] : [`at most about ${Math.round(maxStateBytes / MIB)} MiB`];
  const rate =
    rowsPerSecond === undefined
      ? []
      : [`${Math.round(rowsPerSecond)} rows/s, about ${(coreShare * 100).toPrecision(2)} % of a core`];
  return [`about ${nanosecondsPerRow} ns a row`, ...state, ...rate];
}

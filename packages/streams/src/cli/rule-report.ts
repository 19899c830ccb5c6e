/** A rule for people: its plan with what its operators have done, and how it is at its nodes. */
import type { RuleNodeStatus, RuleSpec } from '../kinds/rule.ts';
import { type ExplainedNode, explain, type Plan } from '../sql/index.ts';

export interface OperatorLine {
  /** How deep it stands below the result. */
  readonly depth: number;
  readonly id: string;
  readonly kind: string;
  readonly says: string;
  readonly notes: readonly string[];
  readonly cost: string;
  readonly counts?: { readonly rowsIn: number; readonly rowsOut: number; readonly errors: number };
}

/** Counters are those of one node. */
export function explainRule(plan: Plan, spec: RuleSpec, status: RuleNodeStatus | undefined): readonly OperatorLine[] {
  const counts = new Map(status?.operators?.map((each) => [each.id, each]) ?? []);
  const lines: OperatorLine[] = [];
  const visit = (node: ExplainedNode, depth: number) => {
    const counted = counts.get(node.id);
    const { rowsIn = 0, rowsOut = 0, errors = 0 } = counted ?? {};
    const { id, kind, says, notes } = node;
    const line = { depth, id, kind, says, notes, cost: costOf(node, spec) };
    lines.push(counted === undefined ? line : { ...line, counts: { rowsIn, rowsOut, errors } });
    for (const input of node.inputs) visit(input, depth + 1);
  };
  visit(explain(plan), 0);
  return lines;
}

const DEFAULT_KEYS = 100_000;
const DEFAULT_ROWS = 1_000_000;

/** What it takes by row, and what it keeps. */
function costOf({ kind, notes }: ExplainedNode, { options = {} }: RuleSpec): string {
  const keys = `at most ${options.maxKeys ?? DEFAULT_KEYS} keys`;
  const rows = `at most ${options.maxWindowRows ?? DEFAULT_ROWS} rows`;
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
    .map(({ depth, kind, says, notes, cost, counts }) => {
      const remarks = [...notes, cost].join('; ');
      const counted =
        counts === undefined
          ? ''
          : `   in ${counts.rowsIn}, out ${counts.rowsOut}${counts.errors === 0 ? '' : `, failed ${counts.errors}`}`;
      return `${'  '.repeat(depth)}${kind} ${says} (${remarks})${counted}\n`;
    })
    .join('');
}

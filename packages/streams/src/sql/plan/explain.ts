/** A plan for people: the last operator first, what it reads below it. */
import type { Plan, PlanNode } from './plan.ts';

export interface ExplainedNode {
  readonly id: string;
  readonly kind: PlanNode['kind'];
  readonly says: string;
  /** What else is worth knowing, such as which columns are read. */
  readonly notes: readonly string[];
  readonly inputs: readonly ExplainedNode[];
}

export function explain({ root }: Plan): ExplainedNode {
  return explainNode(root);
}

/** Operators, each with those whose rows it gets. */
export function inputsOf(node: PlanNode): readonly PlanNode[] {
  switch (node.kind) {
    case 'source':
      return node.query === undefined ? [] : [node.query.root];
    case 'window':
      return node.inputs;
    case 'lookup':
      return [node.input, node.table];
    default:
      return [node.input];
  }
}

function explainNode(node: PlanNode): ExplainedNode {
  return {
    id: node.id,
    kind: node.kind,
    says: node.says,
    notes: notesOf(node),
    inputs: inputsOf(node).map(explainNode),
  };
}

function notesOf(node: PlanNode): readonly string[] {
  switch (node.kind) {
    case 'source':
      return [
        ...(node.relation.schema === undefined && node.query === undefined ? ['without schema'] : []),
        ...(node.columns === undefined ? ['all columns'] : [`columns ${node.columns.join(', ') || 'none'}`]),
      ];
    case 'window':
      return [
        node.keepsRows ? 'keeps rows' : 'keeps aggregates only',
        ...(node.where === undefined ? [] : ['WHERE applies to what it holds']),
      ];
    case 'lookup':
      return [
        `by ${node.keys.map(({ field }) => field).join(', ')}`,
        ...(node.rest === undefined ? [] : ['with a further condition']),
      ];
    case 'join':
      return node.keys.length === 0
        ? ['every pair is compared']
        : [`by ${node.keys.length} equal ${node.keys.length === 1 ? 'key' : 'keys'}`];
    case 'aggregate':
      return node.needsRow ? ['keeps the first row of each group'] : [];
    case 'analytic':
      return [node.level === 'row' ? 'on each row, before WHERE' : 'on each row of the result'];
    default:
      return [];
  }
}

/** As lines, indented by what reads what. */
export function explainText(plan: Plan): string {
  return linesOf(explain(plan), '').join('\n');
}

function linesOf({ id, kind, says, notes, inputs }: ExplainedNode, indent: string): readonly string[] {
  const remark = notes.length === 0 ? '' : ` (${notes.join('; ')})`;
  return [`${indent}${kind} ${says}${remark} #${id}`, ...inputs.flatMap((input) => linesOf(input, `${indent}  `))];
}

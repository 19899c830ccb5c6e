/** The operators of one query, made of its plan: rows of its sources in, in the order of their times; results out. */
import type { AggregateNode, Plan, PlanNode, Row, SourceNode, WindowNode } from '../sql/index.ts';
import { type ContentKind, groupContents, rowContents } from './content.ts';
import { aggregation, condition, groupAnalytic, limiting, ordering, projection, unnesting } from './given-operators.ts';
import { type Given, NO_BOUNDS } from './item.ts';
import { joining } from './join.ts';
import { Lookup, type LookupTable } from './lookup.ts';
import type { GivenOperator, RowOperator, SavedState } from './operator.ts';
import { Filter, RowAnalytic } from './row-operators.ts';
import { type Counters, countersOf, type Runtime } from './runtime.ts';
import { WindowOperator } from './windows/window-operator.ts';

export interface QueryOptions {
  readonly plan: Plan;
  readonly runtime: Runtime;
  readonly table: (name: string) => LookupTable;
  readonly onRows: (rows: readonly Row[], given: Given) => void;
}

export interface Query {
  /** By the index of the source. */
  push(source: number, row: Row, time: number): void;
  advance(time: number): void;
  due(): number | undefined;
  counters(): readonly Counters[];
  /** By the ids of operators. */
  save(): Readonly<Record<string, SavedState>>;
  load(states: Readonly<Record<string, SavedState>>): void;
}

export function createQuery(options: QueryOptions): Query {
  return new QueryBuilder(options).build();
}

/** Operators on rows end where the first window is, or where a row is given out. */
type NodeKind<Kind extends PlanNode['kind']> = Extract<PlanNode, { readonly kind: Kind }>;

interface Stateful {
  readonly id: string;
  readonly operator: Pick<RowOperator, 'save' | 'load'>;
}

class QueryBuilder {
  readonly #options: QueryOptions;
  readonly #counters: Counters[] = [];
  readonly #stateful: Stateful[] = [];
  readonly #entries = new Map<number, RowOperator>();

  constructor(options: QueryOptions) {
    this.#options = options;
  }

  build(): Query {
    const { plan, runtime } = this.#options;
    const above = upTo(plan.root);
    const window = above.below.kind === 'window' ? above.below : undefined;
    const aggregate = window?.keepsRows === false ? takeAggregate(above.nodes) : undefined;
    if (window === undefined) this.#enter(above.below, this.#giveEach(this.#tail(above.nodes)));
    else this.#window(window, aggregate, this.#tail(above.nodes));
    const entries = this.#entries;
    const [only] = plan.sources.length === 1 ? [...entries.values()] : [];
    const tops = [...new Set(entries.values())];
    return {
      push: (source, row, time) => {
        runtime.input = row;
        if (only !== undefined) only.push(row, time);
        else entries.get(source)?.push(tupleOf(source, row, plan.sources.length), time);
      },
      advance: (time) => {
        for (const each of tops) each.advance(time);
      },
      due: () => least(tops.map((each) => each.due())),
      counters: () => this.#counters,
      save: () => Object.fromEntries(this.#stateful.map(({ id, operator }) => [id, operator.save?.()])),
      load: (states) => {
        for (const { id, operator } of this.#stateful) if (states[id] !== undefined) operator.load?.(states[id]);
      },
    };
  }

  /** What is done with all that is given out at once. */
  #tail(nodes: readonly PlanNode[]): (given: Given) => void {
    const { runtime, onRows, plan } = this.#options;
    const operators = this.#givenOperators(nodes);
    const countsAll = plan.hits === 'select' || plan.hits === 'trigger';
    return (given) => {
      const { context } = runtime;
      context.windowStart = given.start;
      context.windowEnd = given.end;
      context.windowTrigger = given.trigger;
      let { items } = given;
      for (const operator of operators) {
        if (items.length === 0) return;
        items = operator.apply({ ...given, items });
      }
      if (items.length === 0) return;
      if (countsAll) {
        context.hits.count++;
        context.hits.time = given.time;
      }
      onRows(
        items.map(({ input }) => input as Row),
        given,
      );
    };
  }

  #givenOperators(nodes: readonly PlanNode[]): readonly GivenOperator[] {
    const joins = nodes.filter((node) => node.kind === 'join');
    const operators = joins.length === 0 ? [] : [this.#keep('', joining(joins, this.#options.runtime))];
    for (const node of nodes) {
      const made = node.kind === 'join' ? undefined : this.#givenOperator(node);
      if (made !== undefined) operators.push(this.#keep(node.id, made));
    }
    return operators;
  }

  #givenOperator(node: PlanNode): GivenOperator | undefined {
    const { runtime, plan } = this.#options;
    switch (node.kind) {
      case 'filter':
        return condition(node, runtime, plan.hits === 'where');
      case 'having':
        return condition(node, runtime, plan.hits === 'having');
      case 'aggregate':
        return aggregation(node, runtime, this.#keepsAnalytic());
      case 'analytic':
        return groupAnalytic(node, runtime);
      case 'order':
        return ordering(node, runtime);
      case 'project':
        return projection(node, runtime);
      case 'unnest':
        return unnesting(node);
      case 'limit':
        return limiting(node);
      case 'source':
      case 'lookup':
      case 'window':
      case 'join':
        return undefined;
    }
  }

  #window(node: WindowNode, aggregate: AggregateNode | undefined, give: (given: Given) => void): void {
    const { runtime } = this.#options;
    const operator = new WindowOperator({ node, runtime, contents: this.#contents(aggregate), give });
    // Groups are part of what the window keeps: other groups are another state.
    this.#keep(aggregate === undefined ? node.id : `${node.id}/${aggregate.id}`, operator);
    for (const input of node.inputs) this.#enter(input, operator);
  }

  #contents(aggregate: AggregateNode | undefined): ContentKind {
    const { runtime } = this.#options;
    const keepsAnalytic = this.#keepsAnalytic();
    if (aggregate === undefined) return rowContents(runtime, keepsAnalytic);
    const counters = countersOf(aggregate);
    this.#counters.push(counters);
    return groupContents({ runtime, node: aggregate, counters, keepsAnalytic });
  }

  #giveEach(give: (given: Given) => void): RowOperator {
    const { runtime } = this.#options;
    const keepsAnalytic = this.#keepsAnalytic();
    return {
      counters: countersOf({ id: '', kind: 'give', says: '' }),
      push: (input, time) => {
        const { analytic } = runtime.context;
        give({ items: [keepsAnalytic ? { input, time, analytic } : { input, time }], time, ...NO_BOUNDS });
      },
      advance: () => {},
      due: () => undefined,
    };
  }

  /** From the source up to `next`. */
  #enter(node: PlanNode, next: RowOperator): void {
    switch (node.kind) {
      case 'source':
        this.#enterSource(node, next);
        return;
      case 'lookup':
        this.#enter(node.input, this.#keep(node.id, this.#lookup(node, next)));
        return;
      case 'analytic':
        this.#enter(node.input, this.#keep(node.id, new RowAnalytic(node, this.#options.runtime, next)));
        return;
      case 'filter': {
        const { runtime, plan } = this.#options;
        this.#enter(node.input, this.#keep(node.id, new Filter(node, runtime, next, plan.hits === 'where')));
        return;
      }
      default:
        throw new TypeError(`an operator ${node.kind} below a window`);
    }
  }

  #lookup(node: NodeKind<'lookup'>, next: RowOperator): Lookup {
    const { runtime, table } = this.#options;
    return new Lookup(node, table(node.table.relation.name), runtime, next);
  }

  #enterSource(node: SourceNode, next: RowOperator): void {
    const counters = countersOf(node);
    this.#counters.push(counters);
    const entry: RowOperator = {
      counters,
      push: (input, time) => {
        counters.rowsIn++;
        counters.rowsOut++;
        next.push(input, time);
      },
      advance: (time) => next.advance(time),
      due: () => next.due(),
    };
    this.#entries.set(node.index, entry);
  }

  #keep<Operator extends { readonly counters: Counters } & Stateful['operator']>(
    id: string,
    operator: Operator,
  ): Operator {
    this.#counters.push(operator.counters);
    if (operator.save !== undefined) this.#stateful.push({ id, operator });
    return operator;
  }

  #keepsAnalytic(): boolean {
    return hasRowAnalytic(this.#options.plan.root);
  }
}

/** The nodes above the first window, or above what works on single rows, in the order in which they work. */
function upTo(root: PlanNode): { readonly nodes: PlanNode[]; readonly below: PlanNode } {
  const nodes: PlanNode[] = [];
  let node = root;
  while (!isBelow(node)) {
    nodes.unshift(node);
    node = node.input;
  }
  return { nodes, below: node };
}

type Below = NodeKind<'window' | 'source' | 'lookup'>;

/** A condition or an analytic call with no window below works on single rows. */
function isBelow(node: PlanNode): node is Below | NodeKind<'filter' | 'analytic'> {
  if (node.kind === 'window' || node.kind === 'source' || node.kind === 'lookup') return true;
  return (node.kind === 'filter' || (node.kind === 'analytic' && node.level === 'row')) && !hasWindow(node);
}

function hasWindow(node: PlanNode): boolean {
  if (node.kind === 'window') return true;
  return node.kind !== 'source' && hasWindow(node.input);
}

function hasRowAnalytic(node: PlanNode): boolean {
  if (node.kind === 'analytic' && node.level === 'row') return true;
  if (node.kind === 'window') return node.inputs.some(hasRowAnalytic);
  return node.kind !== 'source' && hasRowAnalytic(node.input);
}

/** The aggregation right above the window becomes part of it. */
function takeAggregate(nodes: PlanNode[]): AggregateNode | undefined {
  const [first] = nodes;
  if (first?.kind !== 'aggregate') return undefined;
  nodes.shift();
  return first;
}

function tupleOf(source: number, row: Row, length: number): readonly (Row | undefined)[] {
  const tuple: (Row | undefined)[] = Array.from({ length });
  tuple[source] = row;
  return tuple;
}

export function least(times: readonly (number | undefined)[]): number | undefined {
  let earliest: number | undefined;
  for (const time of times) if (time !== undefined && (earliest === undefined || time < earliest)) earliest = time;
  return earliest;
}

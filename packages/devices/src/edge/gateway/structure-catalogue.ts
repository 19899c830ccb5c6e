/** Which structures of models there are to be as data types of OPC UA. Pure. */
import { createHash } from 'node:crypto';
import type { ResolvedModel } from '../../models/resolve-model.ts';
import { isSameType, parseValueType, type ValueType } from '../../values/value-type.ts';

export interface StructurePlan {
  readonly kind: 'structure';
  readonly id: string;
  readonly name: string;
  readonly fields: readonly StructureFieldPlan[];
}

export interface StructureFieldPlan {
  readonly name: string;
  readonly type: ValueType;
  /** What it, or each of its items, is of; undefined for what is no structure. */
  readonly structure?: string;
}

type ModelLookup = (name: string) => ResolvedModel | undefined;

/** Those that a plan needs, each after those that it holds. Pure. */
export class StructureCatalogue {
  readonly #lookUp: ModelLookup;
  readonly #plans = new Map<string, StructurePlan>();

  constructor(lookUp: ModelLookup) {
    this.#lookUp = lookUp;
  }

  get plans(): readonly StructurePlan[] {
    return [...this.#plans.values()];
  }

  /** The data type of a value, or of each item of a list; undefined for what is no structure. */
  idOf(type: ValueType, model: ResolvedModel): string | undefined {
    if (type.kind === 'scalar') return undefined;
    if (type.kind === 'list') return this.idOf(type.items, model);
    const name = `${this.#ownerOf(type, model)}.${type.name}`;
    const fields = type.fields.map(({ name: field, type: fieldType }): StructureFieldPlan => {
      const structure = this.idOf(fieldType, model);
      return { name: field, type: fieldType, ...(structure === undefined ? {} : { structure }) };
    });
    const id = `type:${name}:${digest(fields)}`;
    this.#plans.set(id, { kind: 'structure', id, name, fields });
    return id;
  }

  /** The oldest model that means the same by the name: what is of a model is also of those that it extends. */
  #ownerOf(type: Extract<ValueType, { kind: 'struct' }>, { name, lineage }: ResolvedModel): string {
    const owner = lineage.findLast((each) => {
      const meant = parseValueType(type.name, this.#lookUp(each)?.structs);
      return typeof meant !== 'string' && isSameType(meant, type);
    });
    return owner ?? name;
  }
}

const DIGEST_LENGTH = 8;

/** Clients keep what they know of a data type: one that has changed must have another node id. */
function digest(fields: readonly StructureFieldPlan[]): string {
  return createHash('sha256').update(JSON.stringify(fields)).digest('hex').slice(0, DIGEST_LENGTH);
}

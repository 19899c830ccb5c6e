/** Structures as nodes of an address space, and what their values are made with. */
import { type AddressSpace, ensureDatatypeExtracted, type Namespace, type UADataType } from 'node-opcua-address-space';
import { DataType, type NodeId, resolveNodeId } from 'node-opcua-client';
import type { StructureFieldPlan, StructurePlan } from './structure-catalogue.ts';
import { dataTypeOf, type StructureClass, valueRankOf } from './variants.ts';

interface TypeSpace {
  readonly addressSpace: AddressSpace;
  readonly own: Namespace;
}

export function addStructure({ own }: TypeSpace, { id, name, fields }: StructurePlan): UADataType {
  const node = own.createDataType({
    browseName: name,
    nodeId: `s=${id}`,
    isAbstract: false,
    subtypeOf: 'Structure',
    partialDefinition: fields.map((field) => ({
      name: field.name,
      dataType: dataTypeId(own, field),
      valueRank: valueRankOf(field.type),
      ...(field.type.kind === 'list' ? { arrayDimensions: [field.type.length ?? 0] } : {}),
    })),
  });
  own.addObject({
    browseName: { name: 'Default Binary', namespaceIndex: 0 },
    nodeId: `s=${encodingOf(id)}`,
    typeDefinition: 'DataTypeEncodingType',
    encodingOf: node,
  });
  return node;
}

export function removeStructure({ addressSpace, own }: TypeSpace, id: string): void {
  for (const gone of [encodingOf(id), id]) addressSpace.deleteNode(resolveNodeId(`ns=${own.index};s=${gone}`));
}

const encodingOf = (id: string) => `${id}#Binary`;

/** What the value of a variable, a field or an argument is of, as a node. */
export function dataTypeId(own: Namespace, { type, structure }: Omit<StructureFieldPlan, 'name'>): NodeId {
  return resolveNodeId(structure === undefined ? DataType[dataTypeOf(type)] : `ns=${own.index};s=${structure}`);
}

/**
 * After data types were added, and before a value of one is made. The library learns the types of a namespace once, and
 * is made to forget them: those that have gone, and may come again with the same name, among them.
 */
export async function learnStructures({ addressSpace, own }: TypeSpace): Promise<void> {
  const manager = await ensureDatatypeExtracted(addressSpace);
  manager.unregisterDataTypeFactory(own.index);
  await ensureDatatypeExtracted(addressSpace);
}

export function structureClass({ addressSpace, own }: TypeSpace, id: string | undefined): StructureClass | undefined {
  if (id === undefined) return undefined;
  const type = addressSpace.findNode(`ns=${own.index};s=${id}`) as UADataType | null;
  if (type === null) throw new RangeError(`there is no data type ${id} yet`);
  return addressSpace.getExtensionObjectConstructor(type) as unknown as StructureClass;
}

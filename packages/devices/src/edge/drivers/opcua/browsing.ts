/** The address space of a server, level by level. */
import {
  AttributeIds,
  BrowseDirection,
  browseAll,
  type ClientSession,
  DataType,
  type DataValue,
  findBasicDataType,
  NodeClass,
  type NodeId,
  type ReferenceDescription,
} from 'node-opcua-client';
import type { BrowseEntry } from '../../driver.ts';
import type { Link } from './link.ts';
import type { Namespaces } from './namespaces.ts';
import { isBadStatus } from './status.ts';

const OBJECTS = 'i=85';
const HIERARCHICAL = 'i=33';
const FOLDER_TYPE = 'i=61';

export interface BrowseContext {
  readonly link: Link;
  readonly namespaces: Namespaces;
  readonly signal: AbortSignal;
}

/** What is directly below a node; below the folder of all objects without one. */
export async function* childrenOf(
  from: string | undefined,
  { link, namespaces, signal }: BrowseContext,
): AsyncGenerator<BrowseEntry> {
  const nodeId = namespaces.nodeId(from ?? OBJECTS);
  const { references } = await link.ask(signal, (session) =>
    browseAll(session, {
      nodeId,
      referenceTypeId: HIERARCHICAL,
      includeSubtypes: true,
      browseDirection: BrowseDirection.Forward,
      nodeClassMask: NodeClass.Object | NodeClass.Variable | NodeClass.Method,
      resultMask: 63,
    }),
  );
  const below = references ?? [];
  const variables = below.filter(({ nodeClass }) => nodeClass === NodeClass.Variable);
  const facts = await link.ask(signal, (session) => factsOf(session, variables));
  for (const reference of below) {
    const fact = facts.get(reference);
    yield {
      address: addressOf(reference, nodeId, namespaces),
      name: reference.displayName.text ?? reference.browseName.name ?? '',
      kind: kindOf(reference),
      ...fact,
    };
  }
}

/** As a visitor, or a command, would have it. */
function addressOf(
  { nodeId, nodeClass }: ReferenceDescription,
  parent: NodeId,
  namespaces: Namespaces,
): BrowseEntry['address'] {
  const text = namespaces.textOf(nodeId);
  return nodeClass === NodeClass.Method ? { objectId: namespaces.textOf(parent), methodId: text } : { nodeId: text };
}

function kindOf({ nodeClass, typeDefinition }: ReferenceDescription): BrowseEntry['kind'] {
  if (nodeClass === NodeClass.Variable) return 'Variable';
  if (nodeClass === NodeClass.Method) return 'Method';
  return typeDefinition.toString().replace(/^ns=0;/, '') === FOLDER_TYPE ? 'Folder' : 'Object';
}

type Facts = Pick<BrowseEntry, 'type' | 'isWritable' | 'description'>;

const READ_FOR_EACH = [
  AttributeIds.DataType,
  AttributeIds.ValueRank,
  AttributeIds.UserAccessLevel,
  AttributeIds.Description,
];
const CAN_WRITE = 2;

/** So many variables in one request, which no server finds too many. */
const VARIABLES_AT_ONCE = 100;

async function factsOf(
  session: ClientSession,
  variables: readonly ReferenceDescription[],
): Promise<ReadonlyMap<ReferenceDescription, Facts>> {
  const all = new Map<ReferenceDescription, Facts>();
  for (let at = 0; at < variables.length; at += VARIABLES_AT_ONCE) {
    const some = variables.slice(at, at + VARIABLES_AT_ONCE);
    const values = await session.read(
      some.flatMap(({ nodeId }) => READ_FOR_EACH.map((attributeId) => ({ nodeId, attributeId }))),
    );
    for (const [row, reference] of some.entries()) {
      const mine = values.slice(row * READ_FOR_EACH.length, (row + 1) * READ_FOR_EACH.length);
      all.set(reference, await factsFrom(session, mine));
    }
  }
  return all;
}

async function factsFrom(
  session: ClientSession,
  [dataType, rank, access, description]: readonly DataValue[],
): Promise<Facts> {
  const type = await typeText(session, valueIn(dataType) as NodeId | undefined, Number(valueIn(rank) ?? -1));
  const text = (valueIn(description) as { readonly text?: string | null } | undefined)?.text;
  return {
    isWritable: (Number(valueIn(access) ?? 0) & CAN_WRITE) !== 0,
    ...(type === undefined ? {} : { type }),
    ...(text === null || text === undefined || text === '' ? {} : { description: text }),
  };
}

function valueIn(read: DataValue | undefined): unknown {
  if (read === undefined || isBadStatus(read.statusCode)) return undefined;
  return (read.value as { readonly value: unknown } | null)?.value ?? undefined;
}

const TYPES: ReadonlyMap<DataType, string> = new Map([
  [DataType.Boolean, 'bool'],
  [DataType.SByte, 'int8'],
  [DataType.Byte, 'uint8'],
  [DataType.Int16, 'int16'],
  [DataType.UInt16, 'uint16'],
  [DataType.Int32, 'int32'],
  [DataType.UInt32, 'uint32'],
  [DataType.Int64, 'int64'],
  [DataType.UInt64, 'uint64'],
  [DataType.Float, 'float32'],
  [DataType.Double, 'float64'],
  [DataType.String, 'string'],
  [DataType.LocalizedText, 'string'],
  [DataType.QualifiedName, 'string'],
  [DataType.NodeId, 'string'],
  [DataType.Guid, 'string'],
  [DataType.StatusCode, 'uint32'],
  [DataType.DateTime, 'datetime'],
  [DataType.ByteString, 'bytes'],
]);

/** Undefined for structures, which a model must declare, and for variables of any type. */
async function typeText(
  session: ClientSession,
  dataType: NodeId | undefined,
  rank: number,
): Promise<string | undefined> {
  if (dataType === undefined) return undefined;
  const basic = await findBasicDataType(session, dataType).catch(() => DataType.Null);
  const item = TYPES.get(basic);
  return item === undefined || rank < 0 ? item : `${item}[]`;
}

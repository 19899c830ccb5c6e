/** The address space of one server, kept as its plan says. Samples come in; writes and calls go out. */
import type { AddressSpace, Namespace, UADataType, UAMethod, UAObject, UAObjectType } from 'node-opcua-address-space';
import { makePermissionFlag, resolveNodeId, type StatusCode, StatusCodes, WellKnownRoles } from 'node-opcua-client';
import type { SampleEvent } from '../../telemetry/samples.ts';
import type { DeviceDoor } from '../twin/door.ts';
import { statusOfQuality } from './quality.ts';
import { addMethod, addType, addVariable, type ShownVariable, type SpaceContext } from './space-nodes.ts';
import { type NodePlan, spaceChanges, type VariablePlan } from './space-plan.ts';
import { addStructure, learnStructures, removeStructure } from './space-structures.ts';
import { variantOf } from './variants.ts';

export interface SpaceOptions {
  readonly addressSpace: AddressSpace;
  readonly namespace: string;
  /** Of the nodes. */
  readonly namespaceUri: string;
  readonly door: DeviceDoor;
  readonly signal: AbortSignal;
}

export interface Sample {
  readonly device: string;
  readonly property: string;
  readonly value: unknown;
  readonly time: number;
  readonly quality: number;
}

type Shown =
  | ShownVariable
  | { readonly plan: OtherPlan; readonly node: UADataType | UAObject | UAObjectType | UAMethod };

type OtherPlan = Exclude<NodePlan, VariablePlan>;

export class Space {
  readonly #context: SpaceContext;
  readonly #folder: UAObject;
  readonly #shown = new Map<string, Shown>();
  #plans: readonly NodePlan[] = [];

  constructor({ addressSpace, namespace, namespaceUri, door, signal }: SpaceOptions) {
    const own = addressSpace.registerNamespace(namespaceUri);
    grantRoles(own);
    this.#folder = own.addFolder(addressSpace.rootFolder.objects, { browseName: 'Devices', nodeId: 's=Devices:' });
    this.#context = { addressSpace, own, namespace, door, signal };
  }

  get variables(): number {
    return [...this.#shown.values()].filter(({ plan }) => plan.kind === 'variable' && !plan.isOfType).length;
  }

  get devices(): number {
    return this.#plans.filter(({ kind }) => kind === 'object').length;
  }

  /** Returns the ids of variables that are new, and have no value yet. */
  async apply(planned: readonly NodePlan[]): Promise<ReadonlySet<string>> {
    const { gone, fresh } = spaceChanges(this.#plans, planned);
    // Those below first, so that nothing is taken twice.
    for (const id of gone.toReversed()) this.#remove(id);
    this.#plans = planned;
    const [structures = [], others = []] = [true, false].map((are) =>
      fresh.filter(({ kind }) => (kind === 'structure') === are),
    );
    for (const plan of structures) this.#add(plan);
    if (structures.length > 0) await learnStructures(this.#context);
    for (const plan of others) this.#add(plan);
    return new Set(fresh.filter(({ kind }) => kind === 'variable').map(({ id }) => id));
  }

  set({ device, property, value, time, quality }: Sample): void {
    this.#set(`${device}/${property}`, value, statusOfQuality(quality), new Date(time));
  }

  /** Whatever is shown is what was known last. */
  markLost(now: number): void {
    for (const shown of this.#shown.values()) {
      if (!isVariable(shown) || shown.plan.isOfType) continue;
      const { node } = shown;
      const { value, statusCode } = node.readValue();
      if (statusCode.isGood()) node.setValueFromSource(value, StatusCodes.UncertainLastUsableValue, new Date(now));
    }
  }

  raise({ device, event, time, fields }: SampleEvent, severity: number): void {
    const shown = this.#shown.get(device);
    if (shown?.plan.kind !== 'object') return;
    const said = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
    (shown.node as UAObject).raiseEvent('BaseEventType', {
      message: { dataType: 'LocalizedText', value: { text: [event, ...said].join(' ') } },
      severity: { dataType: 'UInt16', value: severity },
      time: { dataType: 'DateTime', value: new Date(time) },
    });
  }

  #set(id: string, value: unknown, status: StatusCode, time: Date): void {
    const shown = this.#shown.get(id);
    if (shown === undefined || !isVariable(shown)) return;
    const { plan, node, structure } = shown;
    // What has no value keeps the last one, and its status says what it is worth.
    const variant = value === null ? node.readValue().value : variantOf(plan.type, value, structure);
    node.setValueFromSource(variant, status, time);
    if (plan.type.kind !== 'struct' || typeof value !== 'object' || value === null) return;
    for (const { name } of plan.type.fields)
      this.#set(`${id}/${name}`, (value as Readonly<Record<string, unknown>>)[name] ?? null, status, time);
  }

  #remove(id: string): void {
    const shown = this.#shown.get(id);
    this.#shown.delete(id);
    if (shown?.plan.kind === 'structure') removeStructure(this.#context, id);
    else if (shown !== undefined) this.#context.addressSpace.deleteNode(shown.node.nodeId);
  }

  #add(plan: NodePlan): void {
    switch (plan.kind) {
      case 'structure':
        this.#shown.set(plan.id, { plan, node: addStructure(this.#context, plan) });
        return;
      case 'type':
        this.#shown.set(plan.id, { plan, node: addType(this.#context, plan) });
        return;
      case 'object':
        this.#shown.set(plan.id, { plan, node: this.#addObject(plan) });
        return;
      case 'variable':
        this.#shown.set(plan.id, addVariable(this.#context, plan, this.#parentOf(plan.parent)));
        return;
      case 'method':
        this.#shown.set(plan.id, {
          plan,
          node: addMethod(this.#context, plan, this.#parentOf(plan.parent) as UAObject),
        });
    }
  }

  #addObject(plan: Extract<NodePlan, { kind: 'object' }>): UAObject {
    const { own, addressSpace } = this.#context;
    return own.addObject({
      browseName: plan.name,
      nodeId: `s=${plan.id}`,
      organizedBy: this.#folder,
      typeDefinition: this.#parentOf(plan.typeId).nodeId,
      eventSourceOf: addressSpace.rootFolder.objects.server,
      eventNotifier: 1,
      ...(plan.description === undefined ? {} : { description: plan.description }),
    });
  }

  #parentOf(id: string): ParentNode {
    const shown = this.#shown.get(id);
    if (shown === undefined || shown.plan.kind === 'structure') throw new RangeError(`there is no node ${id} yet`);
    return shown.node as ParentNode;
  }
}

type ParentNode = Exclude<Shown['node'], UADataType>;

function isVariable(shown: Shown): shown is ShownVariable {
  return shown.plan.kind === 'variable';
}

const BROWSE_AND_READ = makePermissionFlag('Browse | Read | ReadRolePermissions | ReceiveEvents');
const WRITE = makePermissionFlag('Browse | Read | ReadRolePermissions | ReceiveEvents | Write');
const CALL = makePermissionFlag('Browse | Read | ReadRolePermissions | ReceiveEvents | Write | Call');

function grantRoles(own: Namespace): void {
  const grants: readonly (readonly [WellKnownRoles, number])[] = [
    [WellKnownRoles.Anonymous, BROWSE_AND_READ],
    [WellKnownRoles.AuthenticatedUser, BROWSE_AND_READ],
    [WellKnownRoles.Observer, BROWSE_AND_READ],
    [WellKnownRoles.Operator, WRITE],
    [WellKnownRoles.Engineer, CALL],
  ];
  own.setDefaultRolePermissions(grants.map(([role, permissions]) => ({ roleId: resolveNodeId(role), permissions })));
}

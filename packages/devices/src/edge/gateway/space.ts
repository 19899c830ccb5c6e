/** The address space of one server, kept as its plan says. Samples come in; writes and calls go out. */
import type { AddressSpace, Namespace, UAMethod, UAObject, UAObjectType, UAVariable } from 'node-opcua-address-space';
import { makePermissionFlag, resolveNodeId, type StatusCode, StatusCodes, WellKnownRoles } from 'node-opcua-client';
import type { SampleEvent } from '../../telemetry/samples.ts';
import type { DeviceDoor } from '../twin/door.ts';
import { statusOfQuality } from './quality.ts';
import { addMethod, addType, addVariable, type SpaceContext } from './space-nodes.ts';
import { type NodePlan, spaceChanges, type VariablePlan } from './space-plan.ts';
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
  | { readonly plan: NodePlan; readonly node: UAObject | UAObjectType | UAMethod }
  | { readonly plan: VariablePlan; readonly node: UAVariable };

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
  apply(planned: readonly NodePlan[]): ReadonlySet<string> {
    const { gone, fresh } = spaceChanges(this.#plans, planned);
    // Those below first, so that nothing is taken twice.
    for (const id of gone.toReversed()) this.#remove(id);
    for (const plan of fresh) this.#add(plan);
    this.#plans = planned;
    return new Set(fresh.filter(({ kind }) => kind === 'variable').map(({ id }) => id));
  }

  set({ device, property, value, time, quality }: Sample): void {
    this.#set(`${device}/${property}`, value, statusOfQuality(quality), new Date(time));
  }

  /** Whatever is shown is what was known last. */
  markLost(now: number): void {
    for (const { plan, node } of this.#shown.values()) {
      if (plan.kind !== 'variable' || plan.isOfType || !isVariable(node)) continue;
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
    if (shown === undefined || shown.plan.kind !== 'variable' || !isVariable(shown.node)) return;
    const { plan, node } = shown;
    // What has no value keeps the last one, and its status says what it is worth.
    const variant = value === null ? node.readValue().value : variantOf(plan.type, value);
    node.setValueFromSource(variant, status, time);
    if (plan.type.kind !== 'struct' || typeof value !== 'object' || value === null) return;
    for (const { name } of plan.type.fields)
      this.#set(`${id}/${name}`, (value as Readonly<Record<string, unknown>>)[name] ?? null, status, time);
  }

  #remove(id: string): void {
    const shown = this.#shown.get(id);
    this.#shown.delete(id);
    if (shown !== undefined) this.#context.addressSpace.deleteNode(shown.node.nodeId);
  }

  #add(plan: NodePlan): void {
    switch (plan.kind) {
      case 'type':
        this.#shown.set(plan.id, { plan, node: addType(this.#context, plan) });
        return;
      case 'object':
        this.#shown.set(plan.id, { plan, node: this.#addObject(plan) });
        return;
      case 'variable':
        this.#shown.set(plan.id, { plan, node: addVariable(this.#context, plan, this.#parentOf(plan.parent)) });
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

  #parentOf(id: string): Shown['node'] {
    const shown = this.#shown.get(id);
    if (shown === undefined) throw new RangeError(`there is no node ${id} yet`);
    return shown.node;
  }
}

function isVariable(node: Shown['node']): node is UAVariable {
  return 'setValueFromSource' in node;
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

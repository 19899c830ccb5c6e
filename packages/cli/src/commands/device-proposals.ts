/** `skerry device proposals|accept|reject`: what discoveries have found, and a person's yes or no. */
import type { Gvr } from '@skerry/api';
import type { DeviceProposal } from '@skerry/devices';
import { connect } from '../connection.ts';
import type { CliContext } from '../context.ts';
import { formatAge, formatJson, formatTable } from '../output.ts';
import type { DeviceFlags } from './device.ts';

const PROPOSALS: Gvr = { group: 'devices.skerry.io', version: 'v1alpha1', resource: 'deviceproposals' };

export async function listProposals(context: CliContext, flags: DeviceFlags): Promise<void> {
  using client = await connect(context, flags);
  const place = flags.allNamespaces === true ? {} : { namespace: flags.namespace };
  const { items } = await client.list<DeviceProposal>(PROPOSALS, place);
  if (flags.output === 'json') context.print(formatJson(items));
  else if (items.length === 0) context.say('skerry: nothing is proposed\n');
  else context.print(proposalTable(items, context.clock.now()));
}

function proposalTable(items: readonly DeviceProposal[], now: number): string {
  const rows = items.map(({ metadata, spec, status }) => [
    metadata.namespace ?? '',
    metadata.name ?? '',
    spec.protocol,
    spec.node,
    spec.device.connection?.endpoint ?? '',
    status?.device ?? (status?.lastError || spec.decision) ?? 'open',
    formatAge(Date.parse(metadata.creationTimestamp ?? ''), now),
    spec.description ?? '',
  ]);
  return formatTable(['NAMESPACE', 'NAME', 'PROTOCOL', 'NODE', 'ENDPOINT', 'STATE', 'AGE', 'DESCRIPTION'], rows);
}

export interface AcceptFlags extends DeviceFlags {
  readonly as?: string;
  readonly model?: string;
}

/** The cloud makes the Device. With a model of somebody's own, what was found is read as that model says. */
export async function acceptProposal(context: CliContext, name: string, flags: AcceptFlags): Promise<void> {
  const { as: deviceName, model } = flags;
  await decide(context, name, flags, {
    decision: 'Accepted',
    ...(deviceName === undefined ? {} : { deviceName }),
    ...(model === undefined ? {} : { device: { model: { name: model } } }),
  });
  context.say(`skerry: ${name} is accepted\n`);
}

export async function rejectProposal(context: CliContext, name: string, flags: DeviceFlags): Promise<void> {
  await decide(context, name, flags, { decision: 'Rejected' });
  context.say(`skerry: ${name} is rejected, and is not proposed again\n`);
}

async function decide(context: CliContext, name: string, flags: DeviceFlags, spec: object): Promise<void> {
  using client = await connect(context, flags);
  await client.patch({ gvr: PROPOSALS, namespace: flags.namespace, name }, { spec }, { type: 'merge' });
}

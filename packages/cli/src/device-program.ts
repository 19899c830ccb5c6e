/** `skerry device …`: its commands with their arguments. */

import { parseDuration } from '@skerry/base/flags';
import { Command, InvalidArgumentError } from 'commander';
import { inTime, jsonOutput, tableOutput, withConnection } from './command-options.ts';
import type { DeviceFlags } from './commands/device.ts';
import type { HistoryFlags } from './commands/device-history.ts';
import type { AcceptFlags } from './commands/device-proposals.ts';
import type { TrustFlags } from './commands/device-trust.ts';
import type { SetFlags } from './commands/device-writes.ts';
import type { CliContext } from './context.ts';

export function deviceCommand(context: CliContext, stop: AbortSignal): Command {
  const device = new Command('device').description('devices and their values; also at a node, with its own kubeconfig');
  for (const command of [
    ...readCommands(context, stop),
    ...writeCommands(context),
    ...proposalCommands(context),
    trustCommand(context),
  ])
    device.addCommand(command);
  return device;
}

function inNamespace(command: Command): Command {
  return withConnection(command)
    .option('-n, --namespace <name>', 'namespace of the device', 'default')
    .addOption(jsonOutput());
}

function readCommands(context: CliContext, stop: AbortSignal): readonly Command[] {
  const load = () => import('./commands/device.ts');
  const list = inNamespace(new Command('list').alias('ls'))
    .option('-A, --all-namespaces', 'those of every namespace')
    .description('every device and its state')
    .action(async (flags: DeviceFlags) => (await load()).listDevices(context, flags));
  const show = inNamespace(new Command('show'))
    .argument('<name>', 'the device')
    .description('one device in full, with the values it last reported')
    .action(async (name: string, flags: DeviceFlags) => (await load()).showDevice(context, name, flags));
  const get = inNamespace(new Command('get'))
    .argument('<name>', 'the device')
    .argument('[properties...]', 'only these')
    .description('what a device says now')
    .action(async (name: string, properties: readonly string[], flags: DeviceFlags) =>
      (await load()).getValues(context, name, properties, flags),
    );
  const watch = inNamespace(new Command('watch'))
    .argument('[name]', 'only this device')
    .option('-A, --all-namespaces', 'those of every namespace')
    .description('values as they change, until Ctrl-C')
    .action(async (name: string | undefined, flags: DeviceFlags) =>
      (await load()).watchValues(context, name, flags, stop),
    );
  const history = inTime(withConnection(new Command('history')))
    .argument('<name>', 'the device')
    .argument('<property>', 'one of its properties')
    .option('-n, --namespace <name>', 'namespace of the device', 'default')
    .option('--limit <count>', 'so many values at most, the oldest ones', wholeNumber, 1000)
    .addOption(tableOutput())
    .description(
      'what a device itself has kept, as the history of an OPC UA server; what Skerry has recorded: skerry series',
    )
    .action(async (name: string, property: string, flags: HistoryFlags) =>
      (await import('./commands/device-history.ts')).deviceHistory(context, name, property, flags),
    );
  return [list, show, get, watch, history];
}

function writeCommands(context: CliContext): readonly Command[] {
  const load = () => import('./commands/device-writes.ts');
  const set = inNamespace(new Command('set'))
    .argument('<name>', 'the device')
    .argument('<property=value...>', 'what it is to have; PROPERTY- takes it back')
    .description('what a device is to have: written once, as soon as the device can be reached')
    .option('--wait', 'until the device has confirmed it, or refused')
    .option('--timeout <duration>', 'how long --wait waits', milliseconds, 60_000)
    .option('--expire <duration>', 'not written any more after so long', milliseconds)
    .option('--force', 'also over a local write that stands by edge-wins, which stands no more from then on')
    .action(async (name: string, assignments: readonly string[], flags: SetFlags) =>
      (await load()).setDevice(context, name, assignments, flags),
    );
  const call = inNamespace(new Command('call'))
    .argument('<name>', 'the device')
    .argument('<command>', 'one of its commands')
    .argument('[parameter=value...]', 'what the command takes')
    .description('a command of a device: carried out now, or not at all')
    .action(async (name: string, command: string, parameters: readonly string[], flags: DeviceFlags) =>
      (await load()).callDevice(context, name, command, parameters, flags),
    );
  return [set, call];
}

function proposalCommands(context: CliContext): readonly Command[] {
  const load = () => import('./commands/device-proposals.ts');
  const list = inNamespace(new Command('proposals'))
    .option('-A, --all-namespaces', 'those of every namespace')
    .description('what discoveries have found')
    .action(async (flags: DeviceFlags) => (await load()).listProposals(context, flags));
  const accept = inNamespace(new Command('accept'))
    .argument('<proposal>', 'the proposal')
    .option('--as <name>', 'name of the device')
    .option('--model <name>', 'a DeviceModel of yours')
    .description('make a device of a proposal')
    .action(async (name: string, flags: AcceptFlags) => (await load()).acceptProposal(context, name, flags));
  const reject = inNamespace(new Command('reject'))
    .argument('<proposal>', 'the proposal')
    .description('no device is made of it, and it is not proposed again')
    .action(async (name: string, flags: DeviceFlags) => (await load()).rejectProposal(context, name, flags));
  return [list, accept, reject];
}

function trustCommand(context: CliContext): Command {
  const load = () => import('./commands/device-trust.ts');
  const list = inNamespace(new Command('list').alias('ls'))
    .description('certificates that devices, servers and brokers have refused lately')
    .action(async (flags: DeviceFlags) => (await load()).listRejected(context, flags));
  const accept = inNamespace(new Command('accept'))
    .argument('<thumbprint>', 'its first digits')
    .option('--list <name>', 'the TrustList; by default that of whoever has refused it')
    .description('put a refused certificate into the TrustList')
    .action(async (thumbprint: string, flags: TrustFlags) =>
      (await load()).acceptCertificate(context, thumbprint, flags),
    );
  return new Command('trust').description('certificates of the other side').addCommand(list).addCommand(accept);
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('it is a whole number.');
  return Number(text);
}

function milliseconds(text: string): number {
  try {
    return parseDuration(text);
  } catch {
    throw new InvalidArgumentError('a duration is like 90s, 5m or 1h.');
  }
}

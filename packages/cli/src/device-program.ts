/** `skerry device …`: its commands with their arguments. */

import { parseDuration } from '@skerry/base/flags';
import { Command, InvalidArgumentError } from 'commander';
import { jsonOutput, withConnection } from './command-options.ts';
import type { DeviceFlags } from './commands/device.ts';
import type { SetFlags } from './commands/device-writes.ts';
import type { CliContext } from './context.ts';

export function deviceCommand(context: CliContext, stop: AbortSignal): Command {
  const device = new Command('device').description('devices and their values; also at a node, with its own kubeconfig');
  for (const command of [...readCommands(context, stop), ...writeCommands(context)]) device.addCommand(command);
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
  return [list, show, get, watch];
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

function milliseconds(text: string): number {
  try {
    return parseDuration(text);
  } catch {
    throw new InvalidArgumentError('a duration is like 90s, 5m or 1h.');
  }
}

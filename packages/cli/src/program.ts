/** The tree of commands. Each loads its code when it is run, so that `skerry --help` stays quick. */
import { Argument, Command, InvalidArgumentError } from 'commander';
import { jsonOutput, withConnection } from './command-options.ts';
import type { AuditFlags } from './commands/audit.ts';
import type { BackupFlags } from './commands/backup.ts';
import type { ExportFlags } from './commands/image-export.ts';
import type { ImportFlags } from './commands/image-import.ts';
import type { KubeEdgeFlags } from './commands/import-kubeedge.ts';
import type { InstallFlags, Service } from './commands/install.ts';
import type { NodeFlags } from './commands/node.ts';
import type { CollectFlags, RegistryFlags } from './commands/registry.ts';
import type { LoginFlags } from './commands/registry-login.ts';
import type { TokenFlags } from './commands/token.ts';
import type { UpFlags } from './commands/up.ts';
import { completionScript, type Shell } from './completion.ts';
import type { CliContext } from './context.ts';
import { deviceCommand } from './device-program.ts';
import { ruleCommand } from './rule-program.ts';
import { seriesCommand } from './series-program.ts';

export function createProgram(context: CliContext, stop: AbortSignal): Command {
  const program = new Command('skerry')
    .description('A Kubernetes-shaped cloud, and edge nodes that go on alone when the link is gone.')
    .version(context.version, '-V, --version')
    .showHelpAfterError('(add --help for what can be said)')
    .configureOutput({ writeOut: context.print, writeErr: context.say })
    .exitOverride();
  program.addCommand(upCommand(context, stop));
  program.addCommand(processCommand('cloud', 'run the cloud: API server, controllers and hub'));
  program.addCommand(processCommand('edge', 'run an edge node: replica, local API and pods'));
  program.addCommand(tokenCommand(context));
  program.addCommand(nodeCommand(context));
  program.addCommand(deviceCommand(context, stop));
  program.addCommand(ruleCommand(context));
  program.addCommand(seriesCommand(context));
  program.addCommand(registryCommand(context));
  program.addCommand(imageCommand(context, stop));
  program.addCommand(importCommand(context));
  program.addCommand(backupCommand(context));
  program.addCommand(processCommand('restore', 'bring a backup back into an empty data directory'));
  program.addCommand(auditCommand(context));
  program.addCommand(installCommand(context));
  program.addCommand(completionCommand(context, program));
  program.addCommand(versionCommand(context));
  passOn(program);
  return program;
}

/** Commands that are added whole do not take over by themselves how errors are shown and who ends the process. */
function passOn(parent: Command): void {
  for (const child of parent.commands) {
    child.copyInheritedSettings(parent);
    passOn(child);
  }
}

/** Commands that are bundles of their own: the launcher never comes here with them, but help and completion name them. */
function processCommand(name: string, summary: string): Command {
  return new Command(name)
    .description(`${summary} ('skerry ${name} --help' lists its flags)`)
    .allowUnknownOption()
    .helpOption(false);
}

function upCommand(context: CliContext, stop: AbortSignal): Command {
  return new Command('up')
    .description('run a cloud and one edge node on this machine until Ctrl-C')
    .option('--data-dir <dir>', 'where everything is kept', context.defaultDataDir)
    .option('--listen <host:port>', 'address of the API', '127.0.0.1:6443')
    .option('--link-listen <host:port>', 'address where nodes join and link (default: the API host, the next port)')
    .option(
      '--registry-listen <host:port>',
      "address of the registry of images, or none (default: the API host, the second port after the API's)",
    )
    .option(
      '--advertise <names>',
      'names and addresses, comma-separated, under which nodes and clients reach this cloud',
    )
    .option('--key-file <file>', 'key that seals Secrets at rest (default: outside the data directory)')
    .option('--node <name>', 'name of the edge node', nodeName, 'edge-1')
    .option('--no-edge', 'run the cloud alone')
    .option('--demo <name>', 'with simulated devices and what makes use of them: factory')
    .action(async (flags: UpFlags) => (await import('./commands/up.ts')).up(context, flags, stop));
}

function tokenCommand(context: CliContext): Command {
  const create = withConnection(new Command('create'))
    .description('print a token with which one node can join')
    .requiredOption('--node <name>', "the node's name, or a pattern such as 'line-*' for whichever comes first")
    .option('--ttl <duration>', 'how long it can be used', '10m')
    .addOption(jsonOutput())
    .action(async (flags: TokenFlags) => (await import('./commands/token.ts')).printToken(context, flags));
  return new Command('token').description('tokens with which nodes join').addCommand(create);
}

function nodeCommand(context: CliContext): Command {
  const load = () => import('./commands/node.ts');
  const list = withConnection(new Command('list').alias('ls'))
    .description('every node and its state')
    .addOption(jsonOutput())
    .action(async (flags: NodeFlags) => (await load()).listNodes(context, flags));
  const show = withConnection(new Command('show'))
    .argument('<name>', 'the node')
    .description('one node in full')
    .addOption(jsonOutput())
    .action(async (name: string, flags: NodeFlags) => (await load()).showNode(context, name, flags));
  const revoke = withConnection(new Command('revoke'))
    .argument('<name>', 'the node')
    .description("close the node's sessions at once and refuse its certificate from now on")
    .action(async (name: string, flags: NodeFlags) => (await load()).revokeNode(context, name, flags));
  return new Command('node').description('edge nodes').addCommand(list).addCommand(show).addCommand(revoke);
}

function registryCommand(context: CliContext): Command {
  const load = () => import('./commands/registry.ts');
  const show = withConnection(new Command('show'))
    .description("the registry's address and CA, and how to push to it")
    .addOption(jsonOutput())
    .action(async (flags: RegistryFlags) => (await load()).showRegistry(context, flags));
  const login = withConnection(new Command('login'))
    .description('let docker, podman, buildah and skopeo push and pull')
    .option('--service-account <namespace/name>', 'as whom (default: one that may push everything, made for it)')
    .option('--duration <duration>', 'how long it holds', '24h')
    .option('--secret <name>', 'print an image pull secret of this name instead')
    .option('--config <dir>', 'folder of the config.json (default: DOCKER_CONFIG, else ~/.docker)')
    .action(async (flags: LoginFlags) =>
      (await import('./commands/registry-login.ts')).loginToRegistry(context, flags),
    );
  const list = withConnection(new Command('list').alias('ls'))
    .argument('[repository]', 'only its tags, with digests and sizes')
    .description('what was pushed')
    .addOption(jsonOutput())
    .action(async (repository: string | undefined, flags: RegistryFlags) =>
      (await load()).listImages(context, repository, flags),
    );
  const remove = withConnection(new Command('remove').alias('rm'))
    .argument('<image>', 'NAME:TAG or NAME@DIGEST')
    .description('remove a tag, or a manifest with all its tags')
    .action(async (image: string, flags: RegistryFlags) => (await load()).removeImage(context, image, flags));
  const gc = withConnection(new Command('gc'))
    .description('free what no image needs; the cloud does so by itself every few hours')
    .option('--untagged', 'also manifests that have no tag')
    .option('--now', 'also what was pushed within the last hour; only while nobody pushes')
    .action(async (flags: CollectFlags) => (await load()).collectGarbage(context, flags));
  const registry = new Command('registry').description("the cloud's registry of images");
  return registry.addCommand(show).addCommand(login).addCommand(list).addCommand(remove).addCommand(gc);
}

function imageCommand(context: CliContext, stop: AbortSignal): Command {
  const several = (value: string, before: readonly string[] = []) => [...before, value];
  const write = withConnection(new Command('export'))
    .argument('<file>', 'the archive to write')
    .description('write images, and the manifests that use them, into one file')
    .option('--manifests <path...>', 'files or folders of manifests: their images are in the set, and they themselves')
    .option('--image <name...>', 'more images')
    .option(
      '--platform <os/arch>',
      "what the images are for, or all (default: this machine's; may be repeated)",
      several,
    )
    .option('--plain-http <host>', 'a registry that speaks HTTP (may be repeated)', several)
    .action(async (file: string, flags: ExportFlags) =>
      (await import('./commands/image-export.ts')).exportImages(context, file, flags, stop),
    );
  const read = withConnection(new Command('import'))
    .argument('<file>', 'an archive of export, or any OCI archive')
    .description(
      "push a set of images to the cloud's registry, or put it straight into a node (--data-dir of the node)",
    )
    .option('--apply', 'apply the manifests of the set')
    .option('--node <name>', 'the node in the data directory')
    .action(async (file: string, flags: ImportFlags) =>
      (await import('./commands/image-import.ts')).importImages(context, file, flags, stop),
    );
  return new Command('image').description('sets of images for where no network is').addCommand(write).addCommand(read);
}

function importCommand(context: CliContext): Command {
  const kubeedge = withConnection(new Command('kubeedge'))
    .argument('<files...>', 'manifests of devices.kubeedge.io/v1beta1, or folders of them')
    .description('print the Devices and DeviceModels of KubeEdge as those of Skerry, and say what is left out')
    .option('--apply', 'apply them in the place of printing them')
    .action(async (files: readonly string[], flags: KubeEdgeFlags) =>
      (await import('./commands/import-kubeedge.ts')).importKubeEdge(context, files, flags),
    );
  return new Command('import').description('what other systems have described').addCommand(kubeedge);
}

function backupCommand(context: CliContext): Command {
  return withConnection(new Command('backup'))
    .argument('<file>', 'where to write it')
    .description('write an online copy of the whole cloud')
    .option('--passphrase-file <file>', 'passphrase for the CA and the keys (asked when absent)')
    .option('--without-keys', 'leave the CA and the keys out; only this machine can restore it then')
    .option('--without-series', 'leave the time series out, which may be large')
    .action(async (file: string, flags: BackupFlags) =>
      (await import('./commands/backup.ts')).backup(context, file, flags),
    );
}

function auditCommand(context: CliContext): Command {
  const verify = new Command('verify')
    .description('check that no line of the audit log was changed, removed or added')
    .option('--data-dir <dir>', 'data directory of the cloud', context.defaultDataDir)
    .addOption(jsonOutput())
    .action(async (flags: AuditFlags) => (await import('./commands/audit.ts')).verifyAudit(context, flags));
  return new Command('audit').description('the record of who did what').addCommand(verify);
}

function installCommand(context: CliContext): Command {
  return new Command('install')
    .addArgument(new Argument('<service>', 'what is to run').choices(['cloud', 'edge']))
    .argument('[flags...]', "flags of 'skerry cloud' or 'skerry edge', after --")
    .description('make a systemd service of this release')
    .option('--prefix <dir>', 'where the release is copied to', '/opt/skerry')
    .option('--root <dir>', 'install below this folder and start nothing')
    .option('--no-start', 'write the service without starting it')
    .action(async (service: Service, args: readonly string[], flags: InstallFlags) =>
      (await import('./commands/install.ts')).install(context, service, args, flags),
    );
}

function completionCommand(context: CliContext, program: Command): Command {
  return new Command('completion')
    .addArgument(new Argument('<shell>', 'the shell that reads it').choices(['bash', 'zsh', 'fish']))
    .description('print a completion script: source <(skerry completion bash)')
    .action((shell: Shell) => context.print(completionScript(program, shell)));
}

function versionCommand(context: CliContext): Command {
  return new Command('version')
    .description('print the version')
    .addOption(jsonOutput())
    .action((flags: { readonly output?: 'json' }) => {
      const facts = {
        version: context.version,
        node: process.version,
        platform: `${process.platform}/${process.arch}`,
      };
      context.print(
        flags.output === 'json'
          ? `${JSON.stringify(facts, null, 2)}\n`
          : `skerry ${facts.version} (${facts.platform}, Node ${facts.node})\n`,
      );
    });
}

/** DNS-1123 subdomain: what Kubernetes takes as a node's name. */
export function nodeName(text: string): string {
  if (/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(text)) return text;
  throw new InvalidArgumentError('a node name has lower-case letters, digits, - and ., such as edge-1.');
}

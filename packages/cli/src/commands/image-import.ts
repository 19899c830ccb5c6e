/** `skerry image import FILE`: into the cloud's registry, or, where no cloud is, straight into what a node holds. */
import { existsSync, readdirSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { messageOf, silentLogger } from '@skerry/base';
import { formatReference, openImageStore, parseReference } from '@skerry/workloads/images';
import { type ImageArchive, importedName, openImageArchive, pushImage } from '@skerry/workloads/images/archive';
import { applyObjects } from '../apply-objects.ts';
import type { ConnectionFlags } from '../connection.ts';
import { type CliContext, cliErrors } from '../context.ts';
import { objectsIn } from '../manifest-files.ts';
import { formatSize } from '../output.ts';
import { openRegistryClient } from '../registry-client.ts';

export interface ImportFlags extends ConnectionFlags {
  readonly apply?: boolean;
  readonly node?: string;
}

export async function importImages(
  context: CliContext,
  file: string,
  flags: ImportFlags,
  signal: AbortSignal,
): Promise<void> {
  await using archive = await openImageArchive(file);
  const node = flags.node ?? loneNode(flags.dataDir);
  if (node === undefined) await intoCloud(context, archive, flags, signal);
  else
    await intoNode(
      context,
      archive,
      { dataDir: flags.dataDir ?? context.defaultDataDir, node, apply: flags.apply },
      signal,
    );
}

/** The node in a data directory without a cloud. */
function loneNode(dataDir: string | undefined): string | undefined {
  if (dataDir === undefined || existsSync(join(dataDir, 'kubeconfig'))) return undefined;
  const folder = join(dataDir, 'edge');
  const names = existsSync(folder) ? readdirSync(folder) : [];
  if (names.length > 1) {
    throw cliErrors.INVALID_ARGUMENT({
      argument: `--data-dir ${dataDir}`,
      problem: `holds the nodes ${names.join(', ')}; name one with --node`,
    });
  }
  return names[0];
}

async function intoCloud(
  context: CliContext,
  archive: ImageArchive,
  flags: ImportFlags,
  signal: AbortSignal,
): Promise<void> {
  using registry = await openRegistryClient(context, flags);
  for (const { name } of archive.images) {
    const image = parseReference(name);
    const isOwn = registry.facts.addresses.includes(image.registry);
    const repository = isOwn ? image.repository : importedName(image);
    const sent = await pushImage(image, {
      ask: registry.send,
      source: archive.source,
      repository,
      clock: context.clock,
      signal,
      onSetback: (reason) => context.say(`skerry: goes on after: ${reason}\n`),
    });
    context.say(`skerry: ${name} is in the registry as ${repository}, ${formatSize(sent)} sent\n`);
  }
  if (flags.apply === true) {
    const objects = archive.manifests.flatMap((manifest) => objectsIn(manifest));
    for (const applied of await applyObjects(registry.client, objects)) context.print(`${applied} applied\n`);
  } else if (archive.manifests.length > 0) {
    context.say(`skerry: the file holds ${archive.manifests.length} manifests; --apply applies them\n`);
  }
}

interface NodePlace {
  readonly dataDir: string;
  readonly node: string;
  readonly apply: boolean | undefined;
}

async function intoNode(
  context: CliContext,
  archive: ImageArchive,
  { dataDir, node, apply }: NodePlace,
  signal: AbortSignal,
): Promise<void> {
  const home = join(dataDir, 'edge', node);
  if (!existsSync(home)) throw cliErrors.NO_NODE({ node, dir: dataDir });
  if (await answers(join(home, 'api.sock'))) throw cliErrors.NODE_RUNS({ node });
  const store = await openImageStore(join(home, 'images'), { clock: context.clock, log: silentLogger });
  const failures: string[] = [];
  for (const { name } of archive.images) {
    try {
      const { size } = await store.pull(archive.source, parseReference(name), { signal });
      context.say(`skerry: the node ${node} holds ${formatReference(parseReference(name))}, ${formatSize(size)}\n`);
    } catch (error) {
      signal.throwIfAborted();
      failures.push(`${name}: ${messageOf(error)}`);
    }
  }
  if (failures.length > 0) throw cliErrors.IMPORT_FAILED({ reason: failures.join('; ') });
  if (apply === true) context.say('skerry: a node by itself takes no manifests; the cloud does\n');
}

/** Whether the agent is there: its store of images is its alone. */
function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectSocket(socketPath);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

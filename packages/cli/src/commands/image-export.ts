/** `skerry image export FILE`: a set of images, and the manifests that use them, in one file for where no network is. */
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { hasCode } from '@skerry/base';
import {
  createRegistrySource,
  formatReference,
  type ImageReference,
  type ImageRegistry,
  openBlobStore,
  type Platform,
  parseReference,
  platformOf,
  type RegistrySettings,
  rulesOf,
} from '@skerry/workloads/images';
import { collectImages, writeImageArchive } from '@skerry/workloads/images/archive';
import { type ConnectionFlags, connect } from '../connection.ts';
import { type CliContext, cliErrors } from '../context.ts';
import { configFile, credentialsIn, readConfig } from '../docker-config.ts';
import { imagesIn, objectsIn, readManifests } from '../manifest-files.ts';
import { formatSize } from '../output.ts';
import { pusherToken } from '../pusher-account.ts';
import { readRegistryFacts } from '../registry-client.ts';

export interface ExportFlags extends ConnectionFlags {
  readonly manifests?: readonly string[];
  readonly image?: readonly string[];
  readonly platform?: readonly string[];
  readonly plainHttp?: readonly string[];
}

const IMAGE_REGISTRIES = { group: 'apps.skerry.io', version: 'v1alpha1', resource: 'imageregistries' };

export async function exportImages(
  context: CliContext,
  file: string,
  flags: ExportFlags,
  signal: AbortSignal,
): Promise<void> {
  const manifests = readManifests(flags.manifests ?? []);
  const named = [...(flags.image ?? []), ...manifests.flatMap((each) => objectsIn(each).flatMap(imagesIn))];
  const images = uniqueOf(named.map((name) => parseReference(name)));
  if (images.length === 0) {
    throw cliErrors.INVALID_ARGUMENT({
      argument: 'skerry image export',
      problem: 'names no image; give --manifests or --image',
    });
  }
  const platforms = platformsOf(flags.platform ?? []);
  const cloud = await cloudFacts(context, flags);
  const plain = Object.fromEntries((flags.plainHttp ?? []).map((host) => [host, { plainHttp: true }]));
  const settings = { ...cloud.settings, ...plain };
  const config = readConfig(configFile(context));
  const own = (image: ImageReference) =>
    Object.hasOwn(cloud.credentials, image.registry) ? cloud.credentials[image.registry] : undefined;
  // What came stays for the next run until the file is whole.
  const work = `${resolve(file)}.blobs`;
  const blobs = await openBlobStore(work);
  const collected = await collectImages(images, {
    source: createRegistrySource({ clock: context.clock, settings: () => settings }),
    blobs,
    credentialsFor: (image) => credentialsIn(config, image) ?? own(image),
    platforms,
    clock: context.clock,
    signal,
    onImage: (name, bytes) => context.say(`skerry: ${name}, ${formatSize(bytes)}\n`),
    onSetback: (reason) => context.say(`skerry: goes on after: ${reason}\n`),
  });
  await writeImageArchive(file, { ...collected, manifests }, blobs);
  await rm(work, { recursive: true, force: true });
  const total = collected.blobs.reduce((sum, { size }) => sum + size, 0);
  context.say(
    `skerry: ${file} holds ${images.length} images (${formatSize(total)}) and ${manifests.length} manifests\n`,
  );
}

interface CloudFacts {
  readonly settings: RegistrySettings;
  /** By registry. */
  readonly credentials: Readonly<Record<string, { readonly username: string; readonly password: string }>>;
}

/** How registries are reached, as the cloud's resources say, and a way into its own; nothing where no cloud is. */
async function cloudFacts(context: CliContext, flags: ConnectionFlags): Promise<CloudFacts> {
  try {
    using client = await connect(context, flags);
    const { items } = await client.list<ImageRegistry>(IMAGE_REGISTRIES);
    const facts = await readRegistryFacts(client);
    const token = facts === undefined ? '' : await pusherToken(client, 3600);
    const addresses = facts?.addresses ?? [];
    const own = addresses.map((address) => [address, { ca: facts?.ca ?? '' }] as const);
    return {
      settings: { ...rulesOf(items).settings, ...Object.fromEntries(own) },
      credentials: Object.fromEntries(addresses.map((address) => [address, { username: 'skerry', password: token }])),
    };
  } catch (error) {
    if (!hasCode(error, 'CLI_NO_CLOUD')) throw error;
    return { settings: {}, credentials: {} };
  }
}

function platformsOf(named: readonly string[]): readonly Platform[] {
  if (named.includes('all')) return [];
  if (named.length === 0) return [platformOf(process.arch)];
  return named.map((text) => {
    const [os = '', architecture = '', variant] = text.split('/');
    if (os === '' || architecture === '') {
      throw cliErrors.INVALID_ARGUMENT({
        argument: `--platform ${text}`,
        problem: 'must be OS/ARCHITECTURE, such as linux/arm64, or all',
      });
    }
    return { os, architecture, ...(variant === undefined ? {} : { variant }) };
  });
}

function uniqueOf(images: readonly ImageReference[]): readonly ImageReference[] {
  return [...new Map(images.map((image) => [formatReference(image), image])).values()];
}

/** `skerry registry show|list|remove|gc`. */

import type { ConnectionFlags } from '../connection.ts';
import { type CliContext, cliErrors } from '../context.ts';
import { formatFacts, formatJson, formatSize, formatTable } from '../output.ts';
import { openRegistryClient, type RegistryClient, type RegistryReply } from '../registry-client.ts';

export interface RegistryFlags extends ConnectionFlags {
  readonly output?: 'json';
}

export interface CollectFlags extends ConnectionFlags {
  readonly untagged?: boolean;
  readonly now?: boolean;
}

const MANIFEST_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

export async function showRegistry(context: CliContext, flags: RegistryFlags): Promise<void> {
  using registry = await openRegistryClient(context, flags);
  const { addresses, ca } = registry.facts;
  if (flags.output === 'json') {
    context.print(formatJson({ addresses, ca }));
    return;
  }
  const [address = ''] = addresses;
  context.print(
    formatFacts([
      ['Address', addresses.join(', ')],
      ['Log in', 'skerry registry login'],
      ['Push', `skopeo copy docker-archive:web.tar docker://${address}/default/web:1`],
      ['Use', `kubectl create deployment web --image=${address}/default/web:1`],
      ['docker', `put the CA into /etc/docker/certs.d/${address}/ca.crt`],
    ]),
  );
  context.print(`\n${ca.trimEnd()}\n`);
}

/** What one tag leads to. */
interface TagSummary {
  readonly tag: string;
  readonly digest: string;
  readonly size: number;
}

export async function listImages(
  context: CliContext,
  repository: string | undefined,
  flags: RegistryFlags,
): Promise<void> {
  using registry = await openRegistryClient(context, flags);
  if (repository !== undefined) {
    const tags = await Promise.all(
      (await tagsOf(registry, repository)).map((tag) => summarize(registry, repository, tag)),
    );
    if (flags.output === 'json') context.print(formatJson(tags));
    else
      context.print(
        formatTable(
          ['TAG', 'DIGEST', 'SIZE'],
          tags.map(({ tag, digest, size }) => [tag, digest, size === 0 ? '-' : formatSize(size)]),
        ),
      );
    return;
  }
  const repositories = await allPages(registry, '/v2/_catalog?n=1000', 'repositories');
  const listed = await Promise.all(
    repositories.map(async (name) => ({ repository: name, tags: await tagsOf(registry, name) })),
  );
  if (flags.output === 'json') context.print(formatJson(listed));
  else if (listed.length === 0) context.say("skerry: nothing was pushed yet; 'skerry registry show' says how\n");
  else
    context.print(
      formatTable(
        ['REPOSITORY', 'TAGS'],
        listed.map(({ repository: name, tags }) => [name, tags.join(', ') || '-']),
      ),
    );
}

export async function removeImage(context: CliContext, image: string, flags: ConnectionFlags): Promise<void> {
  using registry = await openRegistryClient(context, flags);
  const { repository, reference } = parseImage(registry, image);
  await registry.ask('DELETE', `/v2/${repository}/manifests/${reference}`);
  context.say(`skerry: ${image} is removed; 'skerry registry gc --untagged' frees what only it needed\n`);
}

export async function collectGarbage(context: CliContext, flags: CollectFlags): Promise<void> {
  using registry = await openRegistryClient(context, flags);
  const query = [...(flags.untagged === true ? ['untagged'] : []), ...(flags.now === true ? ['now'] : [])].join('&');
  const { text } = await registry.ask('POST', `/v2/_skerry/collect${query === '' ? '' : `?${query}`}`);
  const { blobs, bytes, manifests } = JSON.parse(text) as Record<'blobs' | 'bytes' | 'manifests', number>;
  context.print(`${manifests} manifests and ${blobs} blobs removed, ${formatSize(bytes)} freed\n`);
}

/** `[HOST:PORT/]NAME:TAG` or `NAME@DIGEST`. */
function parseImage(
  { facts }: RegistryClient,
  image: string,
): { readonly repository: string; readonly reference: string } {
  const own = facts.addresses.find((address) => image.startsWith(`${address}/`));
  const name = own === undefined ? image : image.slice(own.length + 1);
  const match = /^([^:@]+)(?::([^:@]+)|@(sha256:[0-9a-f]{64}))$/.exec(name);
  const reference = match?.[2] ?? match?.[3];
  if (match?.[1] === undefined || reference === undefined)
    throw cliErrors.INVALID_ARGUMENT({ argument: image, problem: 'must be NAME:TAG or NAME@sha256:DIGEST' });
  return { repository: match[1], reference };
}

function tagsOf(registry: RegistryClient, repository: string): Promise<readonly string[]> {
  return allPages(registry, `/v2/${repository}/tags/list?n=1000`, 'tags');
}

async function allPages(registry: RegistryClient, path: string, field: string): Promise<readonly string[]> {
  const names: string[] = [];
  for (let next: string | undefined = path; next !== undefined; ) {
    const reply: RegistryReply = await registry.ask('GET', next);
    names.push(...((JSON.parse(reply.text) as Record<string, readonly string[] | null>)[field] ?? []));
    next = /^<([^>]+)>; rel="next"$/.exec(String(reply.headers['link'] ?? ''))?.[1];
  }
  return names;
}

async function summarize(registry: RegistryClient, repository: string, tag: string): Promise<TagSummary> {
  const { headers, text } = await registry.ask('GET', `/v2/${repository}/manifests/${tag}`, { accept: MANIFEST_TYPES });
  const { config, layers = [] } = JSON.parse(text) as {
    readonly config?: { readonly size: number };
    readonly layers?: readonly { readonly size: number }[];
  };
  const size = [...(config === undefined ? [] : [config]), ...layers].reduce((sum, each) => sum + each.size, 0);
  return { tag, digest: String(headers['docker-content-digest'] ?? ''), size };
}

/** `skerry token create`: a JoinToken in the cloud, and its secret on standard output, once. */
import type { Gvr, KubeObject } from '@skerry/api';
import { messageOf } from '@skerry/base';
import { parseDuration } from '@skerry/base/flags';
import type { HttpClient } from '@skerry/kube/client';
import { formatJoinToken, hashSecret, matchesNode, newTokenSecret, toJoinTokenObject } from '@skerry/security/identity';
import { type ConnectionFlags, connect } from '../connection.ts';
import { type CliContext, cliErrors } from '../context.ts';
import { formatJson } from '../output.ts';

export interface TokenFlags extends ConnectionFlags {
  readonly node: string;
  readonly ttl: string;
  readonly output?: 'json';
}

export interface CreatedToken {
  readonly token: string;
  readonly node: string;
  readonly expiresAt: string;
}

/** An hour is long for a token that is pasted once; a day is a standing invitation. */
export const MAX_TTL_MS = 24 * 3_600_000;

const JOIN_TOKENS: Gvr = { group: 'security.skerry.io', version: 'v1alpha1', resource: 'jointokens' };
const CONFIG_MAPS: Gvr = { group: '', version: 'v1', resource: 'configmaps' };

export async function printToken(context: CliContext, flags: TokenFlags): Promise<void> {
  const created = await createToken(context, flags);
  context.print(flags.output === 'json' ? formatJson(created) : `${created.token}\n`);
}

export async function createToken(context: CliContext, flags: TokenFlags): Promise<CreatedToken> {
  checkNode(flags.node);
  const expiresAt = context.clock.now() + parseTtl(flags.ttl);
  using client = await connect(context, flags);
  const { addresses, caHash } = await linkFacts(client);
  const { id, secret } = newTokenSecret();
  const record = { id, node: flags.node, secretHash: hashSecret(secret), expiresAt };
  await client.create(JOIN_TOKENS, toJoinTokenObject(record), { fieldManager: 'skerry' });
  const token = formatJoinToken({ addresses, caHash, id, secret, node: flags.node });
  return { token, node: flags.node, expiresAt: new Date(expiresAt).toISOString() };
}

function checkNode(node: string): void {
  // A pattern is good when it could admit some name: stars stand for at least one letter here.
  if (!matchesNode(node, node.replaceAll('*', 'a'))) {
    throw cliErrors.INVALID_ARGUMENT({
      argument: `--node ${node}`,
      problem: 'must be a node name such as edge-1, or a pattern such as line-*',
    });
  }
}

function parseTtl(text: string): number {
  let ttl: number;
  try {
    ttl = parseDuration(text);
  } catch (cause) {
    throw cliErrors.INVALID_ARGUMENT({ argument: `--ttl ${text}`, problem: messageOf(cause) }, { cause });
  }
  if (ttl > 0 && ttl <= MAX_TTL_MS) return ttl;
  throw cliErrors.INVALID_ARGUMENT({ argument: `--ttl ${text}`, problem: 'must be more than nothing and at most 24h' });
}

/** Where nodes join, as the cloud itself publishes it. */
async function linkFacts(
  client: HttpClient,
): Promise<{ readonly addresses: readonly string[]; readonly caHash: string }> {
  const config = await client.get<KubeObject>({ gvr: CONFIG_MAPS, namespace: 'kube-public', name: 'skerry-link' });
  const data = (config['data'] ?? {}) as Record<string, string>;
  return { addresses: (data['addresses'] ?? '').split(','), caHash: data['caHash'] ?? '' };
}

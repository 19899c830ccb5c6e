/** Looks for servers where one names them, and for what they have. */
import {
  type ApplicationDescription,
  ApplicationType,
  type EndpointDescription,
  MessageSecurityMode,
  OPCUAClient,
} from 'node-opcua-client';
import type {
  BrowseEntry,
  DeviceSettings,
  DiscoveryRequest,
  DriverContext,
  FoundDevice,
  Session,
} from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';
import { errorOf } from './status.ts';

export interface DiscoveryContext extends DriverContext {
  readonly connect: (settings: DeviceSettings, context: DriverContext) => Promise<Session>;
}

export async function* discover(request: DiscoveryRequest, context: DiscoveryContext): AsyncGenerator<FoundDevice> {
  const { settings, scan, limit } = request;
  const servers = await ask(settings.endpoint, settings, context, (client) => client.findServers());
  const urls =
    scan['servers'] === false ? [settings.endpoint] : [...new Set([settings.endpoint, ...servers.flatMap(urlsOf)])];
  const seen = new Set<string>();
  for (const url of urls) {
    if (seen.size >= limit || context.signal.aborted) return;
    const found = await describe(url, request, context);
    if (found === undefined || seen.has(found.fingerprint)) continue;
    seen.add(found.fingerprint);
    yield found;
  }
}

function urlsOf({ applicationType, discoveryUrls }: ApplicationDescription): readonly string[] {
  if (applicationType === ApplicationType.Client) return [];
  return (discoveryUrls ?? []).filter((url) => url?.startsWith('opc.tcp://')).slice(0, 1) as readonly string[];
}

/** Undefined for a server that is named but not there. */
async function describe(
  url: string,
  { settings, scan }: DiscoveryRequest,
  context: DiscoveryContext,
): Promise<FoundDevice | undefined> {
  let endpoints: readonly EndpointDescription[];
  try {
    endpoints = await ask(url, settings, context, (client) => client.getEndpoints());
  } catch (error) {
    if (url === settings.endpoint) throw error;
    return undefined;
  }
  const best = [...endpoints].sort((a, b) => b.securityLevel - a.securityLevel)[0];
  if (best === undefined) return undefined;
  const { applicationUri, applicationName } = best.server;
  const isAskedBare = settings.options['securityMode'] === 'None';
  const options = isAskedBare ? settings.options : { ...settings.options, ...securityOf(best) };
  const variables =
    scan['addressSpace'] === false
      ? undefined
      : await variablesOf({ ...settings, endpoint: url, options }, scan, context);
  return {
    fingerprint: applicationUri ?? url,
    name: applicationName.text ?? applicationUri ?? url,
    endpoint: url,
    options,
    description: `OPC UA server ${applicationUri ?? ''}`.trim(),
    ...(variables === undefined ? {} : { variables }),
  };
}

/** The server's best. None is proposed only where the scan itself asks for it. */
function securityOf({ securityMode, securityPolicyUri }: EndpointDescription): Readonly<Record<string, unknown>> {
  if (securityMode === MessageSecurityMode.None) return {};
  const securityPolicy = securityPolicyUri?.split('#')[1];
  return {
    securityMode: MessageSecurityMode[securityMode],
    ...(securityPolicy === undefined ? {} : { securityPolicy }),
  };
}

/** So many variables of a server at most are told. */
const MAX_VARIABLES = 5000;

/** Undefined when the server does not let us look. */
async function variablesOf(
  settings: DeviceSettings,
  scan: DiscoveryRequest['scan'],
  context: DiscoveryContext,
): Promise<readonly BrowseEntry[] | undefined> {
  let session: Session;
  try {
    session = await context.connect(settings, context);
  } catch (error) {
    context.log.info({ endpoint: settings.endpoint, error: errorOf(error).message }, 'address space not looked into');
    return undefined;
  }
  try {
    return await walk(session, scan, context.signal);
  } finally {
    await session.close();
  }
}

async function walk(
  session: Session,
  { from, depth = 6, exclude }: DiscoveryRequest['scan'],
  signal: AbortSignal,
): Promise<readonly BrowseEntry[]> {
  // The server's own diagnostics are no device.
  const left = new Set<unknown>(['i=2253', ...(Array.isArray(exclude) ? exclude : [])]);
  const variables: BrowseEntry[] = [];
  let level: readonly (Readonly<Record<string, unknown>> | undefined)[] = [
    typeof from === 'string' ? { nodeId: from } : undefined,
  ];
  for (let step = 0; step < Number(depth) && level.length > 0; step++) {
    const next: Readonly<Record<string, unknown>>[] = [];
    for (const address of level) {
      for await (const entry of session.browse?.(address, signal) ?? []) {
        const id = entry.address['nodeId'];
        if (id === undefined || left.has(id)) continue;
        // An object that is reached in two ways is still one.
        left.add(id);
        if (entry.kind === 'Variable') variables.push(entry);
        else next.push(entry.address);
        if (variables.length >= MAX_VARIABLES) return variables;
      }
    }
    level = next;
  }
  return variables;
}

/** What every server answers to everybody, without security and without a session. */
async function ask<T>(
  url: string,
  { timeoutMs }: DeviceSettings,
  { signal }: DiscoveryContext,
  send: (client: OPCUAClient) => Promise<T>,
): Promise<T> {
  const client = OPCUAClient.create({
    endpointMustExist: false,
    transportTimeout: timeoutMs,
    defaultTransactionTimeout: timeoutMs,
    connectionStrategy: { maxRetry: 0 },
  });
  const giveUp = () => void client.disconnect().catch(() => {});
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    await client.connect(url);
    return await send(client);
  } catch (cause) {
    throw new DriverError('Unreachable', `no answer from ${url}: ${errorOf(cause).message}`, { cause });
  } finally {
    signal.removeEventListener('abort', giveUp);
    await client.disconnect().catch(() => {});
  }
}

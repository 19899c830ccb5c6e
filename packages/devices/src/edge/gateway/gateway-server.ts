/** One OPC UA server: its endpoints, who may come, what they may, and its address space. */
import { callbackify } from 'node:util';
import type { Clock, Logger } from '@skerry/base';
import {
  ApplicationDescription,
  type DataValue,
  MessageSecurityMode,
  resolveNodeId,
  SecurityPolicy,
  StatusCode,
  StatusCodes,
  WellKnownRoles,
} from 'node-opcua-client';
import { OPCUAServer, type OPCUAServerOptions, type ServerSession } from 'node-opcua-server';
import type { OpcUaRole, SecurityPolicy as PolicyName, SecurityMode } from '../../resources/opcua-server.ts';
import { LoginAttempts } from '../logins/login-attempts.ts';
import type { Passwords } from '../logins/passwords.ts';
import type { CertificateStore } from '../opcua/certificate-store.ts';
import type { KeyPair } from '../opcua/own-certificate.ts';
import type { TrustAnchors } from '../opcua/trust.ts';
import type { DeviceDoor } from '../twin/door.ts';
import type { RejectedCertificates } from '../worker/rejected-certificates.ts';
import { certificateCheck } from './certificate-check.ts';
import { HeldKeyPair, IN_MEMORY } from './held-key-pair.ts';
import { boundQueues, bounds, type ServerLimits } from './server-limits.ts';
import { Space } from './space.ts';

export interface GatewayServerOptions {
  readonly name: string;
  readonly namespace: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly door: DeviceDoor;
  readonly endpoint: EndpointSettings;
  readonly keyPair: KeyPair;
  readonly limits: ServerLimits;
  /** As it is whenever somebody comes. */
  readonly access: () => Access;
  readonly refusals: RejectedCertificates;
  /** The standard's own nodes, as XML. */
  readonly nodeset: string;
  /** Other servers that clients are told of when they look for some. */
  readonly neighbours: () => readonly Neighbour[];
}

export interface Neighbour {
  readonly applicationUri: string;
  readonly endpointUrl: string;
}

export interface EndpointSettings {
  readonly address: string;
  readonly port: number;
  readonly hostnames: readonly string[];
  readonly applicationUri: string;
  readonly namespaceUri: string;
  readonly policies: readonly PolicyName[];
  readonly modes: readonly SecurityMode[];
  readonly anonymous: boolean;
}

export interface Access {
  /** Undefined: no certificate is accepted. */
  readonly anchors: TrustAnchors | undefined;
  /** What users with passwords may. */
  readonly users: ReadonlyMap<string, OpcUaRole>;
  readonly passwords: Passwords;
  /** Of users with certificates; undefined: none are accepted. */
  readonly certificateRole: OpcUaRole | undefined;
}

export interface ServerFigures {
  readonly sessions: number;
  readonly subscriptions: number;
  readonly monitoredItems: number;
  readonly overflows: number;
  readonly loginsTurnedAway: number;
}

export interface GatewayServer {
  readonly space: Space;
  readonly endpointUrl: string;
  figures(): ServerFigures;
  close(): Promise<void>;
}

/** Rejects when it cannot listen. */
export async function openGatewayServer(options: GatewayServerOptions): Promise<GatewayServer> {
  const closing = new AbortController();
  const overflows = { count: 0 };
  const logins = new LoginAttempts(options);
  const server = new OPCUAServer(libraryOptions(options, overflows, logins));
  try {
    await server.initialize();
    const { addressSpace } = server.engine;
    if (addressSpace === null) throw new TypeError('the server has no address space');
    const space = new Space({
      addressSpace,
      namespace: options.namespace,
      namespaceUri: options.endpoint.namespaceUri,
      door: options.door,
      signal: closing.signal,
    });
    nameNeighbours(server, options);
    boundQueues(server, options.limits);
    await server.start();
    return {
      space,
      endpointUrl: server.getEndpointUrl(),
      figures: () => ({ ...figuresOf(server, overflows.count), loginsTurnedAway: logins.turnedAway }),
      close: async () => {
        closing.abort();
        await server.shutdown(0);
      },
    };
  } catch (error) {
    await server.shutdown(0).catch(() => {});
    throw error;
  }
}

/** A client says who it is within this time. */
const CHANNEL_TIMEOUT_MS = 15_000;
const TOKEN_LIFETIME_MS = 10 * 60_000;

function libraryOptions(
  options: GatewayServerOptions,
  overflows: { count: number },
  logins: LoginAttempts,
): OPCUAServerOptions & WithKeyPair {
  const { name, namespace, endpoint, limits, keyPair } = options;
  const [hostname = endpoint.address, ...others] = endpoint.hostnames;
  const applications = certificateCheck({
    ...options,
    own: keyPair.chain[0]?.raw,
    anchors: () => options.access().anchors,
  });
  return {
    host: endpoint.address,
    port: endpoint.port,
    hostname,
    alternateHostname: others,
    ...securityOf(endpoint),
    allowAnonymous: endpoint.anonymous,
    serverInfo: {
      applicationUri: endpoint.applicationUri,
      productUri: 'urn:skerry:gateway',
      applicationName: { text: `Skerry ${namespace}/${name}` },
    },
    buildInfo: { productName: 'Skerry OPC UA gateway', manufacturerName: 'Skerry' },
    certificateFile: IN_MEMORY,
    privateKeyFile: IN_MEMORY,
    certificateKeyPairProvider: new HeldKeyPair(keyPair),
    serverCertificateManager: applications as never,
    userCertificateManager: userCertificates(options) as never,
    userManager: userManager(options, logins),
    nodesets: [options.nodeset],
    disableDiscovery: false,
    defaultSecureTokenLifetime: TOKEN_LIFETIME_MS,
    timeout: CHANNEL_TIMEOUT_MS,
    ...bounds(limits),
    onCreateMonitoredItem: async (_subscription, item) => {
      countOverflows(item, overflows);
      return StatusCodes.Good;
    },
  };
}

/** Its types forget it. */
interface WithKeyPair {
  readonly certificateKeyPairProvider: HeldKeyPair;
}

/** What is not secured is offered only where the policy None is named. */
function securityOf({ policies, modes }: EndpointSettings) {
  const secured = policies.filter((policy) => policy !== 'None');
  const isOpen = policies.includes('None');
  return {
    securityPolicies: policies.map((policy) => SecurityPolicy[policy]),
    securityModes: [
      ...(isOpen ? [MessageSecurityMode.None] : []),
      ...(secured.length === 0 ? [] : modes.flatMap((mode) => (mode === 'None' ? [] : [MessageSecurityMode[mode]]))),
    ],
  };
}

/** FindServers answers with the server itself, and with these. */
function nameNeighbours(server: OPCUAServer, { neighbours }: GatewayServerOptions): void {
  const own = server.getServers.bind(server);
  server.getServers = (channel) => {
    const { applicationName, applicationType, productUri } = server.serverInfo;
    const others = neighbours().map(
      ({ applicationUri, endpointUrl }) =>
        new ApplicationDescription({
          applicationName,
          applicationType,
          productUri,
          applicationUri,
          discoveryUrls: [endpointUrl],
        }),
    );
    return [...own(channel), ...others];
  };
}

function userCertificates(options: GatewayServerOptions): CertificateStore {
  const anchors = () => (options.access().certificateRole === undefined ? undefined : options.access().anchors);
  // A user with a certificate is known by its common name, which must not make it one of those with passwords.
  return certificateCheck({ ...options, own: undefined, anchors, isTaken: (name) => options.access().users.has(name) });
}

function userManager(
  { access }: GatewayServerOptions,
  logins: LoginAttempts,
): NonNullable<OPCUAServerOptions['userManager']> {
  return {
    isValidUserAsync: callbackify(function (this: ServerSession, name: string, password: string) {
      const peer = this.channel?.remoteAddress ?? '';
      return logins.attempt(peer, name, () => access().passwords.isRight(name, Buffer.from(password)));
    }),
    getUserRoles(this: unknown, name: string) {
      const { users, certificateRole } = access();
      const role = users.get(name) ?? certificateRole;
      return role === undefined ? [] : [resolveNodeId(WellKnownRoles[role])];
    },
  };
}

/** What the library does inside an item when a value is lost. */
interface ItemQueue {
  _setOverflowBit(notification: { readonly value?: DataValue }): void;
}

/** The library tells the client that something was lost, and nobody else; and it takes for granted that every value is good. */
function countOverflows(item: object, overflows: { count: number }): void {
  const inside = item as ItemQueue;
  const mark = inside._setOverflowBit.bind(inside);
  inside._setOverflowBit = (notification) => {
    overflows.count++;
    const { value } = notification;
    if (value === undefined || value.statusCode.equals(StatusCodes.Good)) mark(notification);
    else value.statusCode = StatusCode.makeStatusCode(value.statusCode, 'Overflow | InfoTypeDataValue');
  };
}

function figuresOf({ engine }: OPCUAServer, overflows: number): Omit<ServerFigures, 'loginsTurnedAway'> {
  const subscriptions = engine.getSessions().flatMap(({ publishEngine }) => publishEngine.subscriptions);
  return {
    sessions: engine.currentSessionCount,
    subscriptions: engine.currentSubscriptionCount,
    monitoredItems: subscriptions.reduce((sum, { monitoredItemCount }) => sum + monitoredItemCount, 0),
    overflows,
  };
}

/** A hub behind real mutual TLS on loopback, and edges that dial it: for tests and benchmarks. */
import { constants } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type Clock, silentLogger, systemClock } from '@skerry/base';
import {
  type Authority,
  certificateToPem,
  clientProfile,
  createAuthority,
  credentialToPem,
  issueCredential,
  serverProfile,
  validFor,
  YEAR_MS,
} from '@skerry/security/pki';
import type { StreamHandler } from '../contract.ts';
import type {
  CopySuspicion,
  EdgeLink,
  EdgeLinkOptions,
  EdgeLinkStatus,
  Hub,
  HubOptions,
  LinkTls,
} from '../node/contract.ts';
import { createEdgeLink } from '../node/edge-link.ts';
import { createHub } from '../node/hub.ts';
import { MemoryFeed, MemoryOutbox, MemoryReplica } from './memory.ts';

const SPIFFE = /URI:spiffe:\/\/skerry\/node\/([^,]+)/;

export interface LoopbackOptions {
  readonly hub?: Partial<HubOptions>;
  readonly clock?: Clock;
  /** Of another cloud that this one takes the place of. */
  readonly authority?: Authority;
  /** Who a request is from; by default what its certificate says. */
  readonly nodeOf?: (request: IncomingMessage) => string | undefined;
}

export interface EdgeOptions extends Partial<EdgeLinkOptions> {
  /** Number, replica and outbox of another edge: the same folder, or a copy of it. */
  readonly folder?: EdgeFolder;
}

/** What an edge keeps on disk. */
export interface EdgeFolder {
  sessionNumber: number;
  readonly replica: MemoryReplica;
  readonly outbox: MemoryOutbox;
}

export interface LoopbackEdge {
  readonly link: EdgeLink;
  readonly folder: EdgeFolder;
  /** Resolves once the status is as `isMet` says. */
  readonly until: (isMet: (status: EdgeLinkStatus) => boolean) => Promise<void>;
}

export class Loopback {
  readonly hub: Hub;
  readonly feed = new MemoryFeed();
  readonly sunk = new Map<string, number[]>();
  readonly suspicions: CopySuspicion[] = [];
  readonly numbers = new Map<string, number>();
  readonly revoked = new Set<string>();
  readonly authority: Authority;
  readonly server: Server;
  readonly #clock: Clock;
  readonly #edges: EdgeLink[] = [];

  constructor({ hub, authority, clock = systemClock, nodeOf = nodeOfCertificate }: LoopbackOptions = {}) {
    const context = { now: Date.now() };
    this.#clock = clock;
    this.authority = authority ?? createAuthority(context);
    this.hub = createHub({
      feed: this.feed.feed,
      sink: async (node, entries) => {
        const sunk = this.sunk.get(node) ?? [];
        sunk.push(...entries.map(({ seq }) => seq));
        this.sunk.set(node, sunk);
      },
      authorize: (node) => (this.revoked.has(node) ? 'revoked' : 'allow'),
      sessionNumbers: {
        load: async (node) => this.numbers.get(node) ?? 0,
        store: async (node, sessionNumber) => void this.numbers.set(node, sessionNumber),
      },
      clock,
      log: silentLogger,
      onCopy: (suspicion) => this.suspicions.push(suspicion),
      ...hub,
    });
    const names = { dns: ['localhost'], ips: ['127.0.0.1'], uris: [] };
    const profile = serverProfile({ names, validity: validFor(context.now, YEAR_MS) });
    const tls = { ...credentialToPem(issueCredential(this.authority, profile, context)), ca: this.ca };
    this.server = createServer({
      ...tls,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.3',
      secureOptions: constants.SSL_OP_NO_TICKET,
    });
    this.server.on('upgrade', (request, socket, head) => {
      const node = nodeOf(request);
      if (node === undefined) socket.destroy();
      else this.hub.handleUpgrade(request, socket, head, node);
    });
  }

  get ca(): string {
    return certificateToPem(this.authority.certificate);
  }

  get endpoint(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => {
      this.server.listen(0, '127.0.0.1', resolve);
    });
    return this;
  }

  tlsOf(node: string): LinkTls {
    const now = Date.now();
    const profile = clientProfile(`system:node:${node}`, ['system:nodes'], validFor(now, YEAR_MS), [
      `spiffe://skerry/node/${node}`,
    ]);
    return { ...credentialToPem(issueCredential(this.authority, profile, { now })), ca: this.ca };
  }

  edge(node: string, { folder = newFolder(), ...overrides }: EdgeOptions = {}): LoopbackEdge {
    const tls = this.tlsOf(node);
    const link = createEdgeLink({
      endpoints: () => [this.endpoint],
      tls: () => tls,
      node,
      replica: folder.replica,
      outbox: folder.outbox,
      streamHandler: echo,
      sessionNumbers: {
        load: () => folder.sessionNumber,
        store: async (sessionNumber) => {
          folder.sessionNumber = sessionNumber;
        },
      },
      clock: this.#clock,
      log: silentLogger,
      random: Math.random,
      ...overrides,
    });
    this.#edges.push(link);
    return { link, folder, until: (isMet) => untilStatus(link, isMet) };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#edges.map((edge) => edge.stop()));
    await this.hub.stop();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

export function newFolder(): EdgeFolder {
  return { sessionNumber: 0, replica: new MemoryReplica(), outbox: new MemoryOutbox() };
}

/** Sends back what comes; a header `refuse …` is refused with the rest as text. */
export const echo: StreamHandler = async (header, stream) => {
  const said = Buffer.from(header).toString();
  if (said.startsWith('refuse ')) throw new Error(said.slice('refuse '.length));
  for await (const message of stream.incoming) await stream.send(message);
};

function nodeOfCertificate(request: IncomingMessage): string | undefined {
  if (!(request.socket instanceof TLSSocket)) return undefined;
  return SPIFFE.exec(request.socket.getPeerCertificate().subjectaltname ?? '')?.[1];
}

function untilStatus(link: EdgeLink, isMet: (status: EdgeLinkStatus) => boolean): Promise<void> {
  return new Promise((resolve) => {
    if (isMet(link.status())) {
      resolve();
      return;
    }
    const unsubscribe = link.onStatus((status) => {
      if (!isMet(status)) return;
      unsubscribe();
      resolve();
    });
  });
}

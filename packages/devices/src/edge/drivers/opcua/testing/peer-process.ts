/** For tests: an OPC UA server in a process of its own, which does what its parent says. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OPCUACertificateManager } from 'node-opcua-certificate-manager';
import { nodesets } from 'node-opcua-nodesets';
import { OPCUAServer } from 'node-opcua-server';
import type { FromPeer, PeerOptions, ToPeer } from './peer.ts';
import { addressSpaceOf, type PeerSpace } from './peer-space.ts';

const folder = mkdtempSync(join(tmpdir(), 'skerry-opcua-peer-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
process.once('disconnect', () => process.exit(0));
process.on('message', (message: ToPeer) => void answer(message));

let server: OPCUAServer | undefined;
let space: PeerSpace | undefined;

const certificates = (name: string) =>
  new OPCUACertificateManager({
    rootFolder: join(folder, name),
    automaticallyAcceptUnknownCertificate: true,
    disableFileWatchers: true,
  });

async function answer(message: ToPeer): Promise<void> {
  try {
    tell({ id: message.id, result: await perform(message) });
  } catch (error) {
    tell({ id: message.id, error: String(error) });
  }
}

async function perform(message: ToPeer): Promise<unknown> {
  switch (message.do) {
    case 'start':
      return start(message.options);
    case 'stop':
      await server?.shutdown(0);
      server = undefined;
      return undefined;
    case 'drop sessions':
      for (const session of Object.values(server?.engine['_sessions'] ?? {}))
        server?.engine.closeSession(
          (session as { authenticationToken: never }).authenticationToken,
          message.subscriptions,
          'Terminated',
        );
      return undefined;
    case 'set':
      return space?.set(message.name, message.value);
    case 'get':
      return space?.get(message.name);
    case 'unfinished':
      return Object.values(server?.engine['_sessions'] ?? {}).reduce<number>((count, session) => {
        const { continuationPointManager } = session as {
          continuationPointManager: { _map: ReadonlyMap<string, unknown> };
        };
        return count + continuationPointManager._map.size;
      }, 0);
    case 'change':
      return space?.change(message.nodes, message.perSecond, message.rounds);
    case 'raise':
      return space?.raise(message.text, message.severity);
  }
}

async function start({ port, nodes, expired = false, maxNodesPerRead = 1000 }: PeerOptions): Promise<unknown> {
  const own = certificates('own');
  await own.initialize();
  const certificateFile = join(folder, 'server.pem');
  const dayMs = 24 * 3600 * 1000;
  await own.createSelfSignedCertificate({
    applicationUri: 'urn:skerry:peer',
    subject: '/CN=Peer',
    dns: ['localhost'],
    ip: ['127.0.0.1'],
    startDate: new Date(Date.now() - 400 * dayMs),
    validity: expired ? 30 : 4000,
    outputFile: certificateFile,
  });
  server = new OPCUAServer({
    port,
    hostname: '127.0.0.1',
    serverInfo: { applicationUri: 'urn:skerry:peer', applicationName: { text: 'Peer' }, productUri: 'peer' },
    serverCertificateManager: own,
    userCertificateManager: certificates('users'),
    certificateFile,
    privateKeyFile: own.privateKey,
    userManager: { isValidUser: (user: string, password: string) => user === 'operator' && password === 'secret' },
    serverCapabilities: {
      maxSessions: 200,
      operationLimits: { maxNodesPerRead, maxMonitoredItemsPerCall: 500, maxNodesPerWrite: 100 },
    },
    nodesets: [nodesets.standard, fileURLToPath(new URL('press.nodeset.xml', import.meta.url))],
    maxConnectionsPerEndpoint: 200,
    disableDiscovery: true,
  });
  await server.initialize();
  space = addressSpaceOf(server, nodes);
  await server.start();
  return { port: server.endpoints[0]?.port ?? port, certificate: server.getCertificate().toString('base64') };
}

function tell(message: FromPeer): void {
  process.send?.(message);
}

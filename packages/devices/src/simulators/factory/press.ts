/** A press that speaks OPC UA by itself: a force that rises and falls, strokes that are counted, a speed that is set. */
import { mkdtemp, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { OPCUACertificateManager } from 'node-opcua-certificate-manager';
import { DataType, Variant } from 'node-opcua-client';
import { OPCUAServer } from 'node-opcua-server';
import type { ListeningServer } from '../modbus/server.ts';

const MINUTE_MS = 60_000;
const MAX_FORCE_KN = 250;
const URI = 'urn:skerry:examples:press';
const CERTIFICATE_DAYS = 3650;

/** `nodeset`: the file with the standard's own types. */
export async function listenPress(port: number, nodeset: string): Promise<ListeningServer> {
  const folder = await mkdtemp(join(tmpdir(), 'skerry-press-'));
  const server = await openServer(port, { folder, nodeset });
  addPress(server);
  await server.start();
  return {
    port: server.endpoints[0]?.port ?? port,
    [Symbol.asyncDispose]: async () => {
      await server.shutdown(0);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function openServer(
  port: number,
  { folder, nodeset }: { readonly folder: string; readonly nodeset: string },
): Promise<OPCUAServer> {
  const certificates = new OPCUACertificateManager({
    rootFolder: join(folder, 'own'),
    automaticallyAcceptUnknownCertificate: true,
    disableFileWatchers: true,
  });
  await certificates.initialize();
  const certificateFile = join(folder, 'press.pem');
  await certificates.createSelfSignedCertificate({
    applicationUri: URI,
    subject: '/CN=Press',
    dns: ['localhost', hostname()],
    ip: ['127.0.0.1'],
    startDate: new Date(),
    validity: CERTIFICATE_DAYS,
    outputFile: certificateFile,
  });
  const server = new OPCUAServer({
    port,
    hostname: '127.0.0.1',
    serverInfo: { applicationUri: URI, applicationName: { text: 'Press' }, productUri: URI },
    serverCertificateManager: certificates,
    userCertificateManager: certificates,
    certificateFile,
    privateKeyFile: certificates.privateKey,
    nodesets: [nodeset],
    disableDiscovery: true,
  });
  await server.initialize();
  return server;
}

function addPress(server: OPCUAServer): void {
  const { addressSpace } = server.engine;
  if (addressSpace === null) throw new Error('the server has no address space');
  const own = addressSpace.getOwnNamespace();
  const press = own.addObject({
    browseName: 'Press',
    nodeId: 's=Press',
    organizedBy: addressSpace.rootFolder.objects,
  });
  const machine = new Machine();
  own.addVariable({
    componentOf: press,
    browseName: 'Force',
    nodeId: 's=Press.Force',
    dataType: 'Double',
    minimumSamplingInterval: 100,
    value: { get: () => new Variant({ dataType: DataType.Double, value: machine.force() }) },
  });
  own.addVariable({
    componentOf: press,
    browseName: 'Strokes',
    nodeId: 's=Press.Strokes',
    dataType: 'UInt32',
    minimumSamplingInterval: 100,
    value: { get: () => new Variant({ dataType: DataType.UInt32, value: Math.floor(machine.turns()) }) },
  });
  const speed = own.addVariable({
    componentOf: press,
    browseName: 'Speed',
    nodeId: 's=Press.Speed',
    dataType: 'Float',
    value: { dataType: DataType.Float, value: machine.speed },
  });
  addressSpace.installHistoricalDataNode(speed);
  speed.on('value_changed', ({ value }) => machine.turnAt(Number(value.value)));
}

class Machine {
  /** Strokes a minute. */
  speed = 60;
  #turns = 0;
  #since = Date.now();

  turns(): number {
    return this.#turns + ((Date.now() - this.#since) / MINUTE_MS) * this.speed;
  }

  turnAt(speed: number): void {
    this.#turns = this.turns();
    this.#since = Date.now();
    this.speed = speed;
  }

  /** In kN. */
  force(): number {
    return Math.max(0, MAX_FORCE_KN * Math.sin((this.turns() % 1) * 2 * Math.PI));
  }
}

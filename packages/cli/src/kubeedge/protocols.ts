/** What KubeEdge's mappers for Modbus and OPC UA call things, in our terms; other protocols keep their own words. Pure. */
import { type Config, type Leave, reader } from './terms.ts';

const NO_WORD = 'there is no word for it here';

export function connectionOf(protocol: string, config: Config, leave: Leave): object {
  const said: Leave = (what, why) => leave(`protocol: ${what}`, why);
  switch (protocol.toLowerCase()) {
    case 'modbus':
    case 'modbus-tcp':
    case 'modbus-rtu':
      return { protocol: 'modbus', connection: modbusConnection(config, said) };
    case 'opcua':
    case 'opc-ua':
      return { protocol: 'opcua', connection: opcuaConnection(config, said) };
    case 'mqtt':
      return { protocol: 'mqtt', connection: mqttConnection(config, said) };
    default:
      said(protocol, 'a driver of this name is needed; its options and addresses are as they were');
      return { protocol: protocol.toLowerCase().replace(/[^a-z0-9-]/g, '-'), connection: { options: config } };
  }
}

function modbusConnection(config: Config, leave: Leave): object {
  const { take, rest } = reader(config);
  const unit = Number(take('slaveID') ?? 1);
  const port = take('serialPort');
  const [host, tcpPort] = [take('ip'), take('port') ?? 502];
  const serial = {
    ...numbered('baudRate', take('baudRate')),
    ...numbered('dataBits', take('dataBits')),
    ...parity(take('parity')),
    ...numbered('stopBits', take('stopBits')),
  };
  take('communicateMode');
  for (const name of rest()) leave(name, NO_WORD);
  if (host !== undefined && host !== '')
    return { endpoint: `tcp://${String(host)}:${String(tcpPort)}`, options: { unit } };
  return { endpoint: `serial://${serialPath(port, leave)}`, options: { unit, serial } };
}

const FIRST_LINE = '/dev/ttyS0';

function serialPath(port: unknown, leave: Leave): string {
  const path = String(port ?? '');
  if (path.startsWith('/dev/')) return path;
  leave('serialPort', `${path === '' ? 'it' : path} is no path: connection.endpoint names ${FIRST_LINE}`);
  return FIRST_LINE;
}

const OF_A_SECRET = 'belongs into a Secret that connection.secretName names';

function mqttConnection(config: Config, leave: Leave): object {
  const { take, rest } = reader(config);
  const [url, host, port] = [take('brokerURL', 'url', 'address'), take('ip', 'host'), take('port') ?? 1883];
  const [clientId, topic] = [take('clientID'), take('topic')];
  for (const name of ['userName', 'password']) if (take(name)) leave(name, OF_A_SECRET);
  for (const name of rest()) leave(name, NO_WORD);
  const endpoint = url === undefined ? `mqtt://${String(host ?? '')}:${String(port)}` : mqttUrl(String(url));
  const options = {
    ...(clientId === undefined ? {} : { clientId: String(clientId) }),
    ...(topic === undefined ? {} : { topic: String(topic) }),
  };
  return { endpoint, ...(Object.keys(options).length === 0 ? {} : { options }) };
}

function mqttUrl(url: string): string {
  return url.replace(/^(tcp:\/\/|(?!\w+:\/\/))/, 'mqtt://').replace(/^(ssl|tls):/, 'mqtts:');
}

function numbered(name: string, value: unknown): object {
  return value === undefined ? {} : { [name]: Number(value) };
}

function parity(value: unknown): object {
  const [first = ''] = String(value ?? '').toUpperCase();
  const name = { N: 'None', E: 'Even', O: 'Odd' }[first];
  return name === undefined ? {} : { parity: name };
}

function opcuaConnection(config: Config, leave: Leave): object {
  const { take, rest } = reader(config);
  const endpoint = String(take('url') ?? '');
  const securityMode = String(take('securityMode') ?? 'None') || 'None';
  const securityPolicy = String(take('securityPolicy') ?? 'None') || 'None';
  for (const name of [
    'userName',
    'password',
    'passwordPath',
    'certificate',
    'certFile',
    'privateKey',
    'remoteCertificate',
    'remoteCertificatePath',
  ])
    if (take(name)) leave(name, `${OF_A_SECRET}, or into a TrustList`);
  for (const name of rest()) leave(name, NO_WORD);
  return { endpoint, options: { securityMode, ...(securityPolicy === 'None' ? {} : { securityPolicy }) } };
}

export function visitorOf(protocol: string, config: Config, type: string | undefined, leave: Leave): object {
  const name = protocol.toLowerCase();
  if (name.startsWith('modbus')) return modbusVisitor(config, type, leave);
  if (name === 'mqtt') return mqttVisitor(config, leave);
  if (name !== 'opcua' && name !== 'opc-ua') return { address: config };
  const { take, rest } = reader(config);
  const address = { nodeId: String(take('nodeID') ?? '') };
  for (const left of rest()) leave(left, NO_WORD);
  return { address };
}

function mqttVisitor(config: Config, leave: Leave): object {
  const { take, rest } = reader(config);
  const topic = take('topic');
  for (const name of ['userName', 'password']) if (take(name)) leave(name, OF_A_SECRET);
  take('dataType');
  for (const left of rest()) leave(left, 'connection.options says it for the whole device');
  return { address: topic === undefined ? {} : { topic: String(topic) } };
}

const TABLES: Readonly<Record<string, string>> = {
  holdingregister: 'HoldingRegister',
  inputregister: 'InputRegister',
  coilregister: 'Coil',
  discreteinputregister: 'DiscreteInput',
};

function modbusVisitor(config: Config, modelType: string | undefined, leave: Leave): object {
  const { take, rest } = reader(config);
  // As the model says, where that is known.
  const type = modelType ?? (String(take('dataType') ?? '').toUpperCase() || undefined);
  take('dataType');
  for (const limit of ['min', 'max']) if (take(limit) !== undefined) leave(limit, 'the range is in the model');
  const register = String(take('register') ?? 'HoldingRegister');
  const table = TABLES[register.toLowerCase()];
  if (table === undefined) leave('register', `there is no table ${register}`);
  const address = { table: table ?? 'HoldingRegister', address: Number(take('offset') ?? 0) };
  const registers = Number(take('limit') ?? 1);
  const scale = Number(take('scale') ?? 1);
  const [swapsBytes, swapsWords] = [take('isSwap') === true, take('isRegisterSwap') === true];
  for (const name of rest()) leave(name, NO_WORD);
  const encoding = {
    ...rawType(type, registers),
    ...(swapsBytes ? { byteOrder: 'little' } : {}),
    ...(swapsWords ? { wordOrder: 'little' } : {}),
    ...(scale === 1 || scale === 0 ? {} : { scale }),
  };
  const hasWords = table !== 'Coil' && table !== 'DiscreteInput' && Object.keys(encoding).length > 0;
  return { address, ...(hasWords ? { encoding } : {}) };
}

/** The mapper takes the type on the wire from the number of registers. */
function rawType(type: string | undefined, registers: number): object {
  switch (type) {
    case 'INT':
      return { type: registers >= 4 ? 'int64' : registers >= 2 ? 'int32' : 'int16' };
    case 'FLOAT':
    case 'DOUBLE':
      return { type: registers >= 4 ? 'float64' : registers >= 2 ? 'float32' : 'int16' };
    case 'STRING':
    case 'BYTES':
      return { length: registers * 2 };
    default:
      return {};
  }
}

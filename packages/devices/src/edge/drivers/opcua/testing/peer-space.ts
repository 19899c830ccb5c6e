/** What the server of the tests holds: a variable of every type, a structure, methods, events, history, and many numbers. */
import { DataType, type NodeIdLike, StatusCodes, Variant, VariantArrayType } from 'node-opcua-client';
import type { OPCUAServer } from 'node-opcua-server';
import type { WireValue } from './peer.ts';

export interface PeerSpace {
  /** Without a value: it is bad. */
  set(name: string, value: WireValue | undefined): void;
  get(name: string): WireValue;
  /** Changes so many numbers so many times; resolves when the last one was changed. */
  change(nodes: number, perSecond: number, rounds: number): Promise<void>;
  raise(text: string, severity: number): void;
}

type AddressSpace = NonNullable<OPCUAServer['engine']['addressSpace']>;
type Variable = ReturnType<ReturnType<AddressSpace['getOwnNamespace']>['addVariable']>;

/** What each variable is of, and holds at first. 64-bit integers as the library has them: high and low word. */
const SCALARS: Readonly<Record<string, readonly [NodeIdLike, unknown]>> = {
  Boolean: ['Boolean', true],
  SByte: ['SByte', -128],
  Byte: ['Byte', 255],
  Int16: ['Int16', -32768],
  UInt16: ['UInt16', 65535],
  Int32: ['Int32', -2147483648],
  UInt32: ['UInt32', 4294967295],
  Int64: ['Int64', [0x80000000, 1]],
  UInt64: ['UInt64', [0xffffffff, 0xffffffff]],
  Float: ['Float', Math.fround(1.1)],
  Double: ['Double', Math.PI],
  String: ['String', 'Grüße, 世界'],
  ByteString: ['ByteString', Buffer.from([0, 255, 7])],
  DateTime: ['DateTime', new Date(1_767_225_600_123)],
};

export function addressSpaceOf(server: OPCUAServer, nodes: number): PeerSpace {
  const { addressSpace } = server.engine;
  if (addressSpace === null) throw new Error('the server has no address space');
  const variables = new Map<string, Variable>();
  const press = addPress(addressSpace, variables);
  const numbers = addNumbers(addressSpace, nodes);
  return {
    set: (name, value) => {
      const variable = find(variables, name);
      if (value === undefined) {
        variable.setValueFromSource({ dataType: DataType.Null }, StatusCodes.BadNoCommunication);
        return;
      }
      const { dataType, arrayType } = variable.readValue().value;
      variable.setValueFromSource(new Variant({ dataType, arrayType, value: fromWire(value) }));
    },
    get: (name) => toWire(find(variables, name).readValue().value.value),
    raise: (text, severity) => {
      press.raiseEvent('BaseEventType', {
        message: { dataType: DataType.LocalizedText, value: { text } },
        severity: { dataType: DataType.UInt16, value: severity },
      });
    },
    change: (count, perSecond, rounds) => changeAll(numbers.slice(0, count), perSecond, rounds),
  };
}

function find(variables: ReadonlyMap<string, Variable>, name: string): Variable {
  const variable = variables.get(name);
  if (variable === undefined) throw new Error(`there is no variable ${name}`);
  return variable;
}

function addPress(addressSpace: AddressSpace, variables: Map<string, Variable>) {
  const own = addressSpace.getOwnNamespace();
  const press = own.addObject({
    browseName: 'Press',
    nodeId: 's=Press',
    organizedBy: addressSpace.rootFolder.objects,
    eventSourceOf: addressSpace.rootFolder.objects.server,
    eventNotifier: 1,
  });
  const add = (name: string, dataType: NodeIdLike, variant: object, more: object = {}) => {
    const variable = own.addVariable({
      browseName: name,
      nodeId: `s=${name}`,
      componentOf: press,
      dataType,
      minimumSamplingInterval: 10,
      value: new Variant(variant),
      ...more,
    });
    variables.set(name, variable);
    return variable;
  };
  for (const [name, [type, value]] of Object.entries(SCALARS))
    add(name, type, { dataType: DataType[type as keyof typeof DataType], arrayType: VariantArrayType.Scalar, value });
  add(
    'Doubles',
    'Double',
    { dataType: DataType.Double, arrayType: VariantArrayType.Array, value: new Float64Array([1, 2.5]) },
    { valueRank: 1 },
  );
  add(
    'Longs',
    'Int64',
    {
      dataType: DataType.Int64,
      arrayType: VariantArrayType.Array,
      value: [
        [0, 5],
        [0xffffffff, 0xffffffff],
      ],
    },
    { valueRank: 1 },
  );
  add(
    'Matrix',
    'Int32',
    {
      dataType: DataType.Int32,
      arrayType: VariantArrayType.Matrix,
      dimensions: [2, 3],
      value: new Int32Array([1, 2, 3, 4, 5, 6]),
    },
    { valueRank: 2, arrayDimensions: [2, 3] },
  );
  const space = addressSpace.getNamespaceIndex('urn:skerry:press');
  const stroke = addressSpace.findDataType('Stroke', space);
  const state = addressSpace.findDataType('PressState', space);
  if (stroke === null || state === null) throw new Error('the types of the press are not there');
  add('State', state.nodeId, { dataType: DataType.Int32, value: 7 });
  add('Stroke', stroke.nodeId, {
    dataType: DataType.ExtensionObject,
    value: addressSpace.constructExtensionObject(stroke, {
      serial: [0x01234567, 0x89abcdef],
      at: new Date(1_767_225_600_123),
      state: 1,
      forces: [0.5, 2],
      limits: { low: -1, high: 1 },
    }),
  });
  add(
    'Locked',
    'Int32',
    { dataType: DataType.Int32, value: 1 },
    { accessLevel: 'CurrentRead', userAccessLevel: 'CurrentRead' },
  );
  addressSpace.installHistoricalDataNode(add('Trend', 'Double', { dataType: DataType.Double, value: 0 }));
  addMethod(own, press);
  return press;
}

function addMethod(own: ReturnType<AddressSpace['getOwnNamespace']>, press: ReturnType<typeof own.addObject>): void {
  const method = own.addMethod(press, {
    browseName: 'Add',
    nodeId: 's=Press.Add',
    inputArguments: [
      { name: 'a', dataType: DataType.Int64 },
      { name: 'b', dataType: DataType.UInt16 },
    ],
    outputArguments: [{ name: 'sum', dataType: DataType.Int64 }],
  });
  method.bindMethod((input, _context, callback) => {
    const [left, right] = input.map(({ value }) => value as unknown);
    const sum = fromWords(left as Words) + BigInt(right as number);
    if (sum === 0n) return callback(null, { statusCode: StatusCodes.BadOutOfRange });
    const value = toWords(sum);
    callback(null, {
      statusCode: StatusCodes.Good,
      outputArguments: [{ dataType: DataType.Int64, arrayType: VariantArrayType.Scalar, value }],
    });
  });
}

type Words = readonly [number, number];

function fromWords([high, low]: Words): bigint {
  return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
}

function toWords(value: bigint): Words {
  const words = BigInt.asUintN(64, value);
  return [Number(words >> 32n), Number(words & 0xffffffffn)];
}

function addNumbers(addressSpace: AddressSpace, count: number): Variable[] {
  const own = addressSpace.getOwnNamespace();
  const folder = own.addFolder(addressSpace.rootFolder.objects, { browseName: 'Numbers', nodeId: 's=Numbers' });
  return Array.from({ length: count }, (_, at) =>
    own.addVariable({
      browseName: `N${at}`,
      nodeId: `i=${100_000 + at}`,
      organizedBy: folder,
      dataType: 'Double',
      minimumSamplingInterval: 0,
      value: new Variant({ dataType: DataType.Double, value: at }),
    }),
  );
}

const TICK_MS = 20;

async function changeAll(numbers: readonly Variable[], perSecond: number, rounds: number): Promise<void> {
  const total = numbers.length * rounds;
  const began = performance.now();
  for (let done = 0; done < total; ) {
    const due = Math.min(total, Math.ceil(((performance.now() - began) / 1000) * perSecond));
    for (; done < due; done++)
      numbers[done % numbers.length]?.setValueFromSource({ dataType: DataType.Double, value: done + 0.5 });
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
}

function fromWire(value: WireValue): unknown {
  if (typeof value === 'object' && value !== null && 'words' in value) return value.words;
  if (typeof value === 'object' && value !== null && 'time' in value) return new Date(value.time);
  if (typeof value === 'object' && value !== null && 'bytes' in value) return Buffer.from(value.bytes, 'base64');
  return value;
}

function toWire(value: unknown): WireValue {
  if (value instanceof Date) return { time: value.getTime() };
  if (Buffer.isBuffer(value)) return { bytes: value.toString('base64') };
  if (ArrayBuffer.isView(value)) return [...(value as Float64Array)];
  if (Array.isArray(value) && value.length === 2 && typeof value[0] === 'number')
    return { words: [value[0], value[1]] };
  return value as WireValue;
}

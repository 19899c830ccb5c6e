import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import {
  AttributeIds,
  type ClientSession,
  DataType,
  ExtensionObject,
  type NodeId,
  VariantArrayType,
} from 'node-opcua-client';
import type { DeviceModelSpec } from '../../resources/device-model.ts';
import { planSpace } from './space-plan.ts';
import { visit } from './testing/opcua-peer.ts';
import { deviceOf, ENGINEER, modelOf, openScratchServer, type ScratchServer } from './testing/scratch-server.ts';

const LIMITS = {
  name: 'Limits',
  fields: [
    { name: 'low', type: 'float64' },
    { name: 'High', type: 'float64' },
  ],
};
const STROKE = {
  name: 'Stroke',
  fields: [
    { name: 'Serial', type: 'uint64' },
    { name: 'at', type: 'datetime' },
    { name: 'raw', type: 'bytes' },
    { name: 'forces', type: 'float32[]' },
    { name: 'limits', type: 'Limits' },
    { name: 'history', type: 'Limits[]' },
  ],
};

const press = (structs: DeviceModelSpec['structs'] = [LIMITS, STROKE]): DeviceModelSpec => ({
  structs,
  properties: [
    { name: 'stroke', type: 'Stroke', access: 'ReadWrite' },
    { name: 'limits', type: 'Limits[]' },
    { name: 'count', type: 'uint32' },
  ],
  commands: [{ name: 'teach', input: [{ name: 'stroke', type: 'Stroke' }], output: [{ name: 'was', type: 'Limits' }] }],
});

const JSON_STROKE = {
  Serial: '18446744073709551615',
  at: '2026-01-01T00:00:00.123Z',
  raw: 'AP8H',
  forces: [0.5, 2],
  limits: { low: -1, High: 1 },
  history: [
    { low: 0, High: 2 },
    { low: 3, High: 4 },
  ],
};

/** What the attribute DataTypeDefinition of a structure holds. */
interface Definition {
  readonly fields: readonly { readonly name: string; readonly valueRank: number; readonly dataType: NodeId }[];
}

suite('structures of models', () => {
  let scratch: ScratchServer;
  const at = (session: ClientSession, id: string, attributeId = AttributeIds.Value) =>
    session.read({ nodeId: `ns=2;s=${id}`, attributeId });
  const show = (specs: Readonly<Record<string, DeviceModelSpec>>, names: Readonly<Record<string, string>>) =>
    scratch.server.space.apply(
      planSpace(
        Object.entries(names).map(([device, model]) => deviceOf(device, modelOf(specs, model))),
        (name) => modelOf(specs, name),
      ),
    );
  const typeOf = async (session: ClientSession, id: string) => {
    const { value: dataType } = await at(session, id, AttributeIds.DataType);
    const [definition, name] = await session.read(
      [AttributeIds.DataTypeDefinition, AttributeIds.BrowseName].map((attributeId) => ({
        nodeId: dataType.value,
        attributeId,
      })),
    );
    return {
      id: String(dataType.value),
      definition: definition?.value.value as Definition | null,
      name: String(name?.value.value?.name),
    };
  };

  before(async () => {
    scratch = await openScratchServer();
    await show({ press: press() }, { 'press-1': 'press' });
    const sample = { device: 'press-1', time: 1, quality: 192 };
    scratch.server.space.set({ ...sample, property: 'stroke', value: JSON_STROKE });
    scratch.server.space.set({ ...sample, property: 'limits', value: JSON_STROKE.history });
  });
  after(() => scratch[Symbol.asyncDispose]());

  test('a structure has a data type that says its fields, their types, and which of them are lists', () =>
    visit(scratch.at(), async (session) => {
      const { definition, name } = await typeOf(session, 'press-1/stroke');
      assert.equal(name, 'press.Stroke');
      assert.ok(definition !== null, 'a StructureDefinition');
      assert.deepEqual(
        definition.fields.map((field) => [field.name, field.valueRank]),
        [
          ['Serial', -1],
          ['at', -1],
          ['raw', -1],
          ['forces', 1],
          ['limits', -1],
          ['history', 1],
        ],
      );
      const [serial, , , , limits] = definition.fields;
      assert.equal(serial?.dataType.toString(), 'ns=0;i=9');
      assert.match(limits?.dataType.toString() ?? '', /^ns=2;s=type:press\.Limits:/);
    }));

  test('it is read as a structure by a client that knew nothing of it, and its fields also one by one', () =>
    visit(scratch.at(), async (session) => {
      await session.extractNamespaceDataType();
      const { value } = await at(session, 'press-1/stroke');
      assert.equal(value.dataType, DataType.ExtensionObject);
      assert.deepEqual(plain(value.value), {
        serial: [0xffffffff, 0xffffffff],
        at: new Date(JSON_STROKE.at),
        raw: [0, 255, 7],
        forces: [0.5, 2],
        limits: { low: -1, high: 1 },
        history: [
          { low: 0, high: 2 },
          { low: 3, high: 4 },
        ],
      });
      const list = (await at(session, 'press-1/limits')).value;
      assert.equal(list.arrayType, VariantArrayType.Array);
      assert.deepEqual((list.value as unknown[]).map(plain), [
        { low: 0, high: 2 },
        { low: 3, high: 4 },
      ]);
      assert.equal((await at(session, 'press-1/stroke/limits/High')).value.value, 1);
    }));

  test('it is written as a structure; one of another type, or text, is none', () =>
    visit(scratch.at({ user: ENGINEER }), async (session) => {
      await session.extractNamespaceDataType();
      const { value } = await at(session, 'press-1/stroke');
      const write = async (dataType: DataType, written: unknown) => {
        const request = { nodeId: 'ns=2;s=press-1/stroke', attributeId: AttributeIds.Value };
        return (await session.write({ ...request, value: { value: { dataType, value: written } } })).name;
      };
      assert.equal(await write(DataType.ExtensionObject, value.value), 'Good');
      assert.deepEqual(scratch.written.splice(0), [
        { namespace: 'hall', device: 'press-1', by: 'opcua/edda', values: { stroke: JSON_STROKE } },
      ]);
      const [other] = (await at(session, 'press-1/limits')).value.value as unknown[];
      assert.equal(await write(DataType.ExtensionObject, other), 'BadTypeMismatch');
      assert.equal(await write(DataType.String, JSON.stringify(JSON_STROKE)), 'BadTypeMismatch');
      assert.deepEqual(scratch.written, []);
    }));

  test('a command takes and gives structures', () =>
    visit(scratch.at({ user: ENGINEER }), async (session) => {
      await session.extractNamespaceDataType();
      const { value } = await at(session, 'press-1/stroke');
      scratch.output = { was: { low: 7, High: 8 } };
      const { statusCode, outputArguments } = await session.call({
        objectId: 'ns=2;s=press-1',
        methodId: 'ns=2;s=press-1/teach',
        inputArguments: [{ dataType: DataType.ExtensionObject, value: value.value }],
      });
      assert.equal(statusCode.name, 'Good');
      assert.deepEqual(scratch.called[0]?.input, { stroke: JSON_STROKE });
      assert.deepEqual(plain(outputArguments?.[0]?.value), { low: 7, high: 8 });
    }));

  test('what a model inherits is of the same data type; what it declares anew is of its own', async () => {
    const other = { name: 'Limits', fields: [{ name: 'low', type: 'int16' }] };
    const specs = { press: press(), 'press-xl': { extends: 'press' }, odd: { extends: 'press', structs: [other] } };
    await show(specs, { 'press-1': 'press', 'press-2': 'press-xl', 'press-3': 'odd' });
    await visit(scratch.at(), async (session) => {
      const [one, two, three] = await Promise.all(
        ['press-1', 'press-2', 'press-3'].map((device) => typeOf(session, `${device}/stroke`)),
      );
      assert.equal(two?.id, one?.id);
      assert.equal(three?.name, 'odd.Stroke');
    });
  });

  test('a structure that changes is another data type, and what has nothing to do with it stays', async () => {
    const longer = { ...LIMITS, fields: [...LIMITS.fields, { name: 'unit', type: 'string' }] };
    const fresh = await show({ press: press([longer, STROKE]) }, { 'press-1': 'press' });
    assert.equal(fresh.has('press-1/count'), false);
    assert.equal(fresh.has('press-1/stroke'), true);
    const limits = { low: -1, High: 1, unit: 'kN' };
    const value = { ...JSON_STROKE, limits };
    scratch.server.space.set({ device: 'press-1', property: 'stroke', value, time: 1, quality: 192 });
    await visit(scratch.at(), async (session) => {
      await session.extractNamespaceDataType();
      const read = plain((await at(session, 'press-1/stroke')).value.value) as { readonly limits: unknown };
      assert.deepEqual(read.limits, { low: -1, high: 1, unit: 'kN' });
    });
  });
});

/** The fields as the library has them, as plain objects and arrays. */
function plain(value: unknown): unknown {
  if (value instanceof ExtensionObject)
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
  if (value instanceof Date || value === null || typeof value !== 'object') return value;
  return Array.from(value as ArrayLike<unknown>, plain);
}

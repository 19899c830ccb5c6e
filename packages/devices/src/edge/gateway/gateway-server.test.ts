import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import {
  AttributeIds,
  DataType,
  MessageSecurityMode,
  SecurityPolicy,
  type UserIdentityInfo,
  UserTokenType,
  VariantArrayType,
} from 'node-opcua-client';
import type { DeviceModelSpec } from '../../resources/device-model.ts';
import { MAX_FAILED_LOGINS } from '../logins/login-attempts.ts';
import { readAnchors } from '../opcua/trust.ts';
import { planSpace } from './space-plan.ts';
import { makePair, type Pair, type Visit, visit } from './testing/opcua-peer.ts';
import { deviceOf, modelOf, openScratchServer, type ScratchServer } from './testing/scratch-server.ts';

const MODEL: DeviceModelSpec = {
  properties: [
    { name: 'power', type: 'float32', unit: 'kW', minimum: 0, maximum: 50 },
    { name: 'limit', type: 'uint64', access: 'ReadWrite', maximum: 5_000_000_000 },
    { name: 'target', type: 'float32', access: 'ReadWrite', minimum: 0, maximum: 10 },
    { name: 'mode', type: 'uint8', enum: [{ value: 2, name: 'Eco' }] },
    { name: 'phases', type: 'int32[3]' },
  ],
  commands: [{ name: 'reset', input: [{ name: 'to', type: 'int64' }], output: [{ name: 'was', type: 'float64' }] }],
};

const model = modelOf({ meter: MODEL }, 'meter');
const METER = deviceOf('meter-1', model);

suite('an OPC UA server of the gateway', () => {
  let scratch: ScratchServer;
  let person: Pair;

  before(async () => {
    scratch = await openScratchServer();
    person = await makePair('person', { isUser: true });
    trust(person);
    scratch.output = { was: 4.5 };
    await scratch.server.space.apply(planSpace([METER], () => model));
    scratch.server.space.set({
      device: 'meter-1',
      property: 'power',
      value: 1.5,
      time: 1_700_000_000_123,
      quality: 192,
    });
  });
  after(() => scratch[Symbol.asyncDispose]());

  const trust = (...people: readonly Pair[]) => {
    const trusted = [scratch.pair, ...people].map(({ certificate }) => certificate);
    scratch.access = {
      ...scratch.access,
      anchors: readAnchors({ trusted, issuers: [], revocationLists: [] }),
    };
  };
  const at = (more: Partial<Visit> = {}): Visit => scratch.at(more);
  const nodeId = (id: string) => `ns=2;s=${id}`;

  const read = (more: Partial<Visit> = {}) =>
    visit(at(more), (session) => session.read({ nodeId: nodeId('meter-1/power'), attributeId: AttributeIds.Value }));

  const POLICIES = ['Basic256Sha256', 'Aes128_Sha256_RsaOaep', 'Aes256_Sha256_RsaPss'] as const;
  for (const policy of POLICIES) {
    for (const mode of ['Sign', 'SignAndEncrypt'] as const) {
      test(`is read with ${policy} and ${mode}`, async () => {
        const { value, statusCode, sourceTimestamp } = await read({
          policy: SecurityPolicy[policy],
          mode: MessageSecurityMode[mode],
        });
        assert.deepEqual([value.dataType, value.value, statusCode.name], [DataType.Float, 1.5, 'Good']);
        assert.equal(sourceTimestamp?.getTime(), 1_700_000_000_123);
      });
    }
  }

  test('nobody who was accepted stands among the refused, nor does the server itself', () =>
    assert.deepEqual(scratch.refusals.list, []));

  test('without security it is read only because the policy None is named', async () => {
    const { statusCode } = await read({ policy: SecurityPolicy.None, mode: MessageSecurityMode.None });
    assert.equal(statusCode.name, 'Good');
  });

  const reads = async (user: UserIdentityInfo) => (await read({ user })).statusCode.name;
  const byName = (userName: string, password: string): UserIdentityInfo => ({
    type: UserTokenType.UserName,
    userName,
    password,
  });
  const byCertificate = ({ certificate, key }: Pair): UserIdentityInfo => ({
    type: UserTokenType.Certificate,
    certificateData: new X509Certificate(certificate).raw,
    privateKey: key,
  });

  test('users come by name and by certificate, and a wrong password or a stranger does not', async () => {
    assert.equal(await reads(byName('olga', 'reads')), 'Good');
    assert.equal(await reads(byCertificate(person)), 'Good');
    await assert.rejects(reads(byName('olga', 'guess')), /BadUserAccessDenied|BadIdentityTokenRejected/);
    await assert.rejects(reads(byName('nobody', 'reads')), /BadUserAccessDenied|BadIdentityTokenRejected/);
    const stranger = await makePair('stranger', { isUser: true });
    await assert.rejects(reads(byCertificate(stranger)), /BadIdentityTokenRejected|BadCertificateUntrusted/);
    const masked = await makePair('edda', { isUser: true });
    trust(person, masked);
    await assert.rejects(reads(byCertificate(masked)), /BadIdentityTokenRejected|BadCertificateUntrusted/);
    assert.match(scratch.refusals.list[0]?.reason ?? '', /has the name edda, which is that of a user with a password/);
  });

  test('after too many wrong passwords the right one is turned away as well, and counted', async () => {
    for (let guess = 0; guess < MAX_FAILED_LOGINS; guess++)
      await assert.rejects(reads(byName('ines', `guess ${guess}`)), /BadUserAccessDenied|BadIdentityTokenRejected/);
    assert.equal(scratch.server.figures().loginsTurnedAway, 0);
    await assert.rejects(reads(byName('ines', 'reads')), /BadUserAccessDenied|BadIdentityTokenRejected/);
    assert.equal(scratch.server.figures().loginsTurnedAway, 1);
    assert.equal(await reads(byName('olga', 'reads')), 'Good');
  });

  test('an application that is not trusted, or whose certificate has expired, is refused in words', async () => {
    const [stranger, late] = await Promise.all([makePair('stranger'), makePair('late', { endedDaysAgo: 3 })]);
    await assert.rejects(read({ pair: stranger, name: 'stranger' }));
    assert.match(scratch.refusals.list[0]?.reason ?? '', /is not in the trust list, and neither is who issued it/);
    await assert.rejects(read({ pair: late, name: 'late' }));
    assert.match(scratch.refusals.list[0]?.reason ?? '', /expired at 2/);
    assert.equal(scratch.refusals.list[0]?.subject, 'CN=late');
  });

  const write = (user: UserIdentityInfo, value: object, property = 'limit') =>
    visit(at({ user }), async (session) => {
      const status = await session.write({
        nodeId: nodeId(`meter-1/${property}`),
        attributeId: AttributeIds.Value,
        value: { value },
      });
      return status.name;
    });
  const LIMIT = { dataType: DataType.UInt64, arrayType: VariantArrayType.Scalar, value: [1, 2] };

  test('operators write through the door, and hear what became of it; observers and strangers do not', async () => {
    assert.equal(await write(byName('omar', 'writes'), LIMIT), 'Good');
    assert.deepEqual(scratch.written.splice(0), [
      { namespace: 'hall', device: 'meter-1', by: 'opcua/omar', values: { limit: '4294967298' } },
    ]);
    for (const [result, status] of [
      ['Rejected', 'BadDeviceFailure'],
      ['TimedOut', 'BadTimeout'],
      ['Superseded', 'BadInvalidState'],
      ['Expired', 'BadNoCommunication'],
    ] as const) {
      scratch.outcome = result;
      assert.equal(await write(byCertificate(person), LIMIT), status);
    }
    scratch.outcome = 'Confirmed';
    scratch.written.splice(0);
    assert.equal(await write(byName('olga', 'reads'), LIMIT), 'BadUserAccessDenied');
    assert.equal(await write({ type: UserTokenType.Anonymous }, LIMIT), 'BadUserAccessDenied');
    assert.equal(await write(byName('omar', 'writes'), { dataType: DataType.Double, value: 1 }), 'BadTypeMismatch');
    assert.deepEqual(scratch.written, []);
  });

  test('what is out of the range of the property is BadOutOfRange, also of 64 bits and without an end', async () => {
    const user = byName('omar', 'writes');
    assert.equal(await write(user, { ...LIMIT, value: [2, 0] }), 'BadOutOfRange');
    for (const value of [-1, 11, Number.POSITIVE_INFINITY, Number.NaN])
      assert.equal(await write(user, { dataType: DataType.Float, value }, 'target'), 'BadOutOfRange');
    assert.deepEqual(scratch.written, []);
    assert.equal(await write(user, { dataType: DataType.Float, value: 10 }, 'target'), 'Good');
    scratch.written.splice(0);
  });

  const reset = (user: UserIdentityInfo) =>
    visit(at({ user }), (session) =>
      session.call({
        objectId: nodeId('meter-1'),
        methodId: nodeId('meter-1/reset'),
        inputArguments: [
          { dataType: DataType.Int64, arrayType: VariantArrayType.Scalar, value: [0xffffffff, 0xfffffff9] },
        ],
      }),
    );

  test('engineers call commands with typed arguments; operators do not', async () => {
    const { statusCode, outputArguments } = await reset(byName('edda', 'calls'));
    assert.equal(statusCode.name, 'Good');
    assert.equal(outputArguments?.[0]?.value, 4.5);
    assert.deepEqual(scratch.called.splice(0), [
      { namespace: 'hall', device: 'meter-1', by: 'opcua/edda', command: 'reset', input: { to: '-7' } },
    ]);
    assert.equal((await reset(byName('omar', 'writes'))).statusCode.name, 'BadUserAccessDenied');
    assert.deepEqual(scratch.called, []);
  });

  test('units, ranges, names of numbers and lists are as clients expect them', () =>
    visit(at(), async (session) => {
      const inside = async (id: string) =>
        (await session.read({ nodeId: nodeId(id), attributeId: AttributeIds.Value })).value.value as unknown;
      const unit = (await inside('meter-1/power#EngineeringUnits')) as {
        unitId: number;
        displayName: { text: string };
      };
      assert.deepEqual([unit.unitId, unit.displayName.text], [4937556, 'kW']);
      const range = (await inside('meter-1/power#EURange')) as { low: number; high: number };
      assert.deepEqual([range.low, range.high], [0, 50]);
      scratch.server.space.set({ device: 'meter-1', property: 'mode', value: 2, time: 1, quality: 192 });
      scratch.server.space.set({ device: 'meter-1', property: 'phases', value: [1, -2, 3], time: 1, quality: 84 });
      assert.equal(((await inside('meter-1/mode#ValueAsText')) as { text: string }).text, 'Eco');
      const phases = await session.read({ nodeId: nodeId('meter-1/phases'), attributeId: AttributeIds.Value });
      assert.deepEqual([...(phases.value.value as Int32Array)], [1, -2, 3]);
      assert.equal(phases.statusCode.name, 'UncertainEngineeringUnitsExceeded');
      const limit = await session.read({ nodeId: nodeId('meter-1/limit'), attributeId: AttributeIds.Value });
      assert.equal(limit.statusCode.name, 'BadWaitingForInitialData');
    }));

  test('a change of the plan leaves alone what is not part of it', () =>
    visit(at(), async (session) => {
      const limitStatus = async (id: string) =>
        (await session.read({ nodeId: nodeId(id), attributeId: AttributeIds.Value })).statusCode.name;
      const fresh = await scratch.server.space.apply(
        planSpace(
          [
            { ...METER, properties: new Set(['power', 'phases']) },
            { ...METER, name: 'meter-2' },
          ],
          () => model,
        ),
      );
      assert.deepEqual(
        [...fresh].sort(),
        ['limit', 'mode', 'phases', 'power', 'target'].map((name) => `meter-2/${name}`),
      );
      assert.equal(await limitStatus('meter-1/limit'), 'BadNodeIdUnknown');
      assert.equal(await limitStatus('meter-1/power'), 'Good');
      assert.equal(await limitStatus('meter-2/power'), 'BadWaitingForInitialData');
    }));

  test('each device is an object of the type of its model, which is one of the type that the model extends', async () => {
    const specs = { meter: MODEL, 'meter-xl': { extends: 'meter', properties: [{ name: 'hours', type: 'uint32' }] } };
    const devices = [METER, deviceOf('meter-3', modelOf(specs, 'meter-xl'))];
    await scratch.server.space.apply(planSpace(devices, (name) => modelOf(specs, name)));
    await visit(at(), async (session) => {
      const below = async (id: string) =>
        ((await session.browse(nodeId(id))).references ?? []).map(
          ({ browseName, typeDefinition }) => [browseName.name, typeDefinition.value] as const,
        );
      assert.deepEqual(await below('Devices:'), [
        ['meter-1', 'model:meter'],
        ['meter-3', 'model:meter-xl'],
      ]);
      assert.ok((await below('meter-3')).some(([name]) => name === 'hours'));
      assert.ok((await below('meter-3')).some(([name]) => name === 'power'));
      const up = {
        nodeId: nodeId('model:meter-xl'),
        referenceTypeId: 'HasSubtype',
        browseDirection: 1,
        resultMask: 63,
      };
      const [base] = (await session.browse(up)).references ?? [];
      assert.equal(base?.nodeId.value, 'model:meter');
    });
  });
});

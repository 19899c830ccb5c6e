import { after, before, test } from 'node:test';
import { silentLogger, systemClock } from '@skerry/base';
import { TcpProxy } from '@skerry/testkit/processes';
import type { RawValue } from '../../../values/encoding.ts';
import { type ConformanceBench, conformanceTests } from '../../conformance/index.ts';
import type { Session } from '../../driver.ts';
import { driver, pointFor, settingsFor } from './testing/bench.ts';
import { Peer, type WireValue } from './testing/peer.ts';

let peer: Peer;
before(async () => {
  peer = await Peer.start();
});
after(() => peer[Symbol.asyncDispose]());

const HELD: readonly (readonly [name: string, type: string, first: WireValue, other: WireValue, RawValue, RawValue])[] =
  [
    ['Double', 'float64', 1.5, 2.5, 1.5, 2.5],
    ['Int64', 'int64', { words: [0, 7] }, { words: [0x80000000, 1] }, 7n, -(2n ** 63n) + 1n],
    ['String', 'string', 'on', 'off', 'on', 'off'],
    ['Boolean', 'bool', true, false, true, false],
  ];

conformanceTests(test, 'OPC UA', ['writes', 'subscribes', 'lacks'], async (): Promise<ConformanceBench> => {
  const proxy = await TcpProxy.start(`127.0.0.1:${peer.port}`);
  for (const [name, , first] of HELD) await peer.ask({ do: 'set', name, value: first });
  const sessions: Session[] = [];
  return {
    driver: {
      protocol: driver.protocol,
      connect: async (...given) => {
        const session = await driver.connect(...given);
        sessions.push(session);
        return session;
      },
    },
    clock: systemClock,
    log: silentLogger,
    settings: settingsFor(peer, { resume: '200ms' }, { endpoint: `opc.tcp://${proxy.address}`, timeoutMs: 5000 }),
    points: HELD.map(([name, type]) => pointFor(name, type)),
    values: HELD.map(([, , , , value]) => value as never),
    others: HELD.map(([, , , , , value]) => value as never),
    set: async (index, value) =>
      void (await peer.ask({ do: 'set', name: HELD[index]?.[0] ?? '', value: toWire(value) })),
    get: async (index) => fromWire((await peer.ask({ do: 'get', name: HELD[index]?.[0] ?? '' })) as WireValue),
    absent: pointFor('Absent', 'float64'),
    settle: (promise) => promise,
    cut: async () => proxy.cut(),
    silence: async () => peer.freeze(),
    heal: async () => {
      peer.thaw();
      proxy.mend();
    },
    [Symbol.asyncDispose]: async () => {
      peer.thaw();
      await Promise.all(sessions.map((session) => session.close()));
      await proxy[Symbol.asyncDispose]();
    },
  };
});

function toWire(value: RawValue): WireValue {
  if (typeof value !== 'bigint') return value as WireValue;
  const words = BigInt.asUintN(64, value);
  return { words: [Number(words >> 32n), Number(words & 0xffffffffn)] };
}

function fromWire(value: WireValue): RawValue {
  if (typeof value !== 'object' || !('words' in value)) return value as RawValue;
  const [high = 0, low = 0] = value.words;
  return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
}

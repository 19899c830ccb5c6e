import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { type AddressInfo, createConnection, createServer, type Server } from 'node:net';
import { after, before, test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { fakeClock, runs } from '@skerry/testkit';
import { type Answer, type DecodedPacket, decode, encode, type Packet, type RecordType } from 'dns-packet';
import fc from 'fast-check';
import { namesOf } from './names.ts';
import { openResolver, type Resolver } from './resolver.ts';
import { pod, service, viewsOf, WEB } from './testing/world.ts';
import { framed, openUpstream } from './upstream.ts';

const LOOPBACK = '127.0.0.1';
const MANY = Array.from({ length: 20 }, (_, last) => `10.1.0.${last + 1}`);
const VIEWS = viewsOf({
  services: [
    WEB,
    service('all', { clusterIP: 'None', selector: { app: 'many' }, ports: [] }),
    service('far', { type: 'ExternalName', externalName: 'www.example.org' }),
    service('near', { type: 'ExternalName', externalName: 'web.shop.svc.cluster.local' }),
    service('circle', { type: 'ExternalName', externalName: 'circle.shop.svc.cluster.local' }),
  ],
  pods: MANY.map((ip) => pod(ip, { ip, app: 'many' })),
});

/** A server of the world outside: knows one name over both transports, and counts what it is asked. */
class Outside {
  readonly #udp: Socket = createSocket('udp4');
  readonly #tcp: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (bytes) => socket.end(framed(this.#answer(bytes.subarray(2), true))));
  });
  asked = 0;
  isSilent = false;
  /** What comes before the true answer, from a liar. */
  forged: ((query: Buffer) => Buffer) | undefined;

  async open(): Promise<string> {
    this.#udp.on('message', (query, { port, address }) => {
      if (this.isSilent) {
        this.asked++;
        return;
      }
      if (this.forged !== undefined) this.#udp.send(this.forged(query), port, address);
      this.#udp.send(this.#answer(query, false), port, address);
    });
    await new Promise<void>((resolve) => this.#udp.bind(0, LOOPBACK, resolve));
    const { port } = this.#udp.address();
    await new Promise<void>((resolve) => this.#tcp.listen(port, LOOPBACK, resolve));
    return `${LOOPBACK}:${(this.#tcp.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#udp.close();
    this.#tcp.close();
  }

  #answer(query: Buffer, viaTcp: boolean): Buffer {
    this.asked++;
    const { id = 0, questions = [] } = decode(query);
    const [question] = questions;
    const name = question?.name ?? '';
    const answers: Answer[] = name === 'nothing.example.org' ? [] : [{ type: 'A', name, ttl: 60, data: '203.0.113.7' }];
    const isLarge = name === 'large.example.org' && !viaTcp;
    const flags = (name === 'nothing.example.org' ? 3 : 0) | (isLarge ? 1 << 9 : 0);
    return encode({ type: 'response', id, flags, questions, answers: isLarge ? [] : answers });
  }
}

const outside = new Outside();
const clock = fakeClock();
let resolver: Resolver;
let isKnown = true;

before(async () => {
  const server = await outside.open();
  const upstream = openUpstream({ servers: () => [server], clock });
  const names = namesOf(VIEWS);
  resolver = await openResolver({
    host: LOOPBACK,
    port: 0,
    names: () => (isKnown ? names : undefined),
    upstream,
    random: () => 0,
    log: silentLogger,
  });
});
after(async () => {
  await resolver.close();
  outside.close();
});

async function askByUdp(message: Buffer): Promise<DecodedPacket> {
  const socket = createSocket('udp4');
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  socket.once('message', resolve);
  socket.send(message, resolver.port, LOOPBACK);
  return decode(await promise.finally(() => socket.close()));
}

async function askByTcp(...messages: readonly Buffer[]): Promise<DecodedPacket[]> {
  const socket = createConnection(resolver.port, LOOPBACK);
  socket.end(Buffer.concat(messages.map(framed)));
  let bytes = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) bytes = Buffer.concat([bytes, chunk]);
  const replies: DecodedPacket[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readUInt16BE(at) + 2) replies.push(decode(bytes.subarray(at + 2)));
  return replies;
}

function query(name: string, type: RecordType = 'A', more: Partial<Packet> = {}): Buffer {
  return encode({ type: 'query', id: 7, flags: 1 << 8, questions: [{ type, name }], ...more });
}

interface Expected {
  readonly code?: 'NOERROR' | 'NXDOMAIN' | 'SERVFAIL' | 'FORMERR' | 'NOTIMP';
  readonly answers?: readonly string[];
}

function show({ rcode, answers = [] }: DecodedPacket & { rcode?: string }): Expected {
  return { code: rcode as 'NOERROR', answers: answers.map((one) => String('data' in one ? one.data : '')) };
}

async function check(message: Buffer, { code = 'NOERROR', answers = [] }: Expected): Promise<void> {
  assert.deepEqual(show(await askByUdp(message)), { code, answers });
}

test('names of the cluster are answered with authority, and for a moment only', async () => {
  const reply = await askByUdp(query('web.shop.svc.cluster.local'));
  assert.deepEqual(show(reply), { code: 'NOERROR', answers: ['10.96.7.1'] });
  const [first] = reply.answers ?? [];
  assert.deepEqual([reply.flag_aa, reply.flag_ra, first !== undefined && 'ttl' in first && first.ttl], [true, true, 5]);
});

test('what is not there is said with how long that holds, and a type that is not there differs from a name that is not', async () => {
  const none = await askByUdp(query('none.shop.svc.cluster.local'));
  assert.deepEqual([show(none).code, none.authorities?.[0]?.type], ['NXDOMAIN', 'SOA']);
  const other = await askByUdp(query('web.shop.svc.cluster.local', 'AAAA'));
  assert.deepEqual([show(other).code, other.answers?.length, other.authorities?.[0]?.type], ['NOERROR', 0, 'SOA']);
});

test('everything else is asked of the host’s servers, once while the answer holds', async () => {
  const before = outside.asked;
  await check(query('www.example.org'), { answers: ['203.0.113.7'] });
  await check(query('www.example.org'), { answers: ['203.0.113.7'] });
  await check(query('nothing.example.org'), { code: 'NXDOMAIN' });
  assert.equal(outside.asked - before, 2);
  await clock.advance(60_000);
  await check(query('www.example.org'), { answers: ['203.0.113.7'] });
  assert.equal(outside.asked - before, 3);
});

test('an answer that nobody asked for is not believed', async () => {
  const lie = (message: Buffer): Buffer => {
    const { questions = [], id = 0 } = decode(message);
    const [question] = questions;
    if (question === undefined) return message;
    const answers: Answer[] = [{ type: 'A', name: question.name, ttl: 60, data: '198.51.100.66' }];
    return encode({ type: 'response', id: id ^ 1, questions, answers });
  };
  outside.forged = lie;
  await check(query('forged.example.org'), { answers: ['203.0.113.7'] });
  outside.forged = (message) => {
    const other = lie(message);
    message.copy(other, 0, 0, 2);
    other.write('x', 13);
    return other;
  };
  await check(query('forged2.example.org'), { answers: ['203.0.113.7'] });
  outside.forged = undefined;
});

test('a server that says nothing is waited for so long, and then the asker hears that it failed', async () => {
  outside.isSilent = true;
  const before = outside.asked;
  const reply = askByUdp(query('silent.example.org'));
  while (outside.asked === before) await new Promise(setImmediate);
  await clock.advance(2000);
  assert.equal(show(await reply).code, 'SERVFAIL');
  outside.isSilent = false;
});

test('an alias is followed inside and outside, and not in circles', async () => {
  await check(query('far.shop.svc.cluster.local'), { answers: ['www.example.org', '203.0.113.7'] });
  await check(query('near.shop.svc.cluster.local'), { answers: ['web.shop.svc.cluster.local', '10.96.7.1'] });
  const { answers = [] } = await askByUdp(query('circle.shop.svc.cluster.local'));
  assert.ok(answers.length < 10);
});

test('too many addresses for a datagram are told over TCP, or in one as large as the asker says', async () => {
  const small = await askByUdp(query('all.shop.svc.cluster.local'));
  assert.deepEqual([small.flag_tc, small.answers?.length], [true, 0]);
  const [whole] = await askByTcp(query('all.shop.svc.cluster.local'));
  assert.deepEqual([whole?.flag_tc, whole?.answers?.length], [false, MANY.length]);
  const additionals = [
    {
      type: 'OPT',
      name: '.',
      udpPayloadSize: 1232,
      extendedRcode: 0,
      ednsVersion: 0,
      flags: 0,
      flag_do: false,
      options: [],
    },
  ] as Answer[];
  const wide = await askByUdp(query('all.shop.svc.cluster.local', 'A', { additionals }));
  assert.deepEqual([wide.flag_tc, wide.answers?.length], [false, MANY.length]);
});

test('an answer from outside that is cut short is whole over TCP', async () => {
  assert.equal((await askByUdp(query('large.example.org'))).flag_tc, true);
  const [whole] = await askByTcp(query('large.example.org'));
  assert.deepEqual(whole === undefined ? whole : show(whole), { code: 'NOERROR', answers: ['203.0.113.7'] });
});

test('one connection answers several questions in their order', async () => {
  const replies = await askByTcp(query('web.shop.svc.cluster.local'), query('www.example.org'));
  assert.deepEqual(
    replies.map((reply) => show(reply).answers),
    [['10.96.7.1'], ['203.0.113.7']],
  );
});

test('before the names are known nothing is said that would be remembered', async () => {
  isKnown = false;
  await check(query('web.shop.svc.cluster.local'), { code: 'SERVFAIL' });
  isKnown = true;
});

test('what is no question is refused, and what is an answer is not answered', async () => {
  await check(encode({ type: 'query', id: 7, questions: [] }), { code: 'FORMERR' });
  const update = query('web.shop.svc.cluster.local');
  update[2] = 0x28;
  await check(update, { code: 'NOTIMP' });
  const torn = query('web.shop.svc.cluster.local').subarray(0, 20);
  await check(torn, { code: 'FORMERR' });
});

test('no bytes whatever end it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 600 }), async (bytes) => {
      const socket = createSocket('udp4');
      await new Promise<void>((resolve) => socket.send(bytes, resolver.port, LOOPBACK, () => resolve()));
      socket.close();
    }),
    { numRuns: runs(100) },
  );
  await check(query('web.shop.svc.cluster.local'), { answers: ['10.96.7.1'] });
});

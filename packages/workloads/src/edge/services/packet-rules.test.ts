/** The rules in a real kernel: a host with two pods on a bridge and a stranger outside, all network namespaces of this test. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { runs } from '@skerry/testkit';
import { eventually, skipWithout } from '@skerry/testkit/processes';
import fc from 'fast-check';
import { findTool, runTool } from './host-tools.ts';
import { hostAddressesByInterface, placeOf, removeAddress, setUpAddress } from './node-address.ts';
import { PacketRules } from './packet-rules.ts';
import { formatChange, formatRuleset, planRules, type Ruleset } from './ruleset.ts';
import { pod, service, slice, viewsOf, WEB } from './testing/world.ts';

const skip = skipWithout('root', 'nftables', 'iproute2', 'conntrack', 'curl');
const ID = randomBytes(3).toString('hex');
const [HOST, POD_A, POD_B, STRANGER] = ['h', 'a', 'b', 's'].map((each) => `skt${each}${ID}`) as [
  string,
  string,
  string,
  string,
];
const [GATEWAY, A, B, HOST_IP, STRANGER_IP] = ['10.99.0.1', '10.99.0.2', '10.99.0.3', '203.0.113.1', '203.0.113.2'];
const WEB_IP = '10.96.7.1';

/** Says who has called. */
const SERVER = `require('node:http').createServer((q, a) => a.end(q.socket.remoteAddress.replace('::ffff:', ''))).listen(Number(process.argv[1]), '0.0.0.0')`;

const UDP_SERVER = `const s = require('node:dgram').createSocket('udp4'); s.on('message', (_, from) => s.send(process.argv[1], from.port, from.address)); s.bind(5353)`;
/** Calls again and again from one port, which for the kernel is one flow, and prints who answers. */
const UDP_CALLER = `const s = require('node:dgram').createSocket('udp4'); s.on('message', (m) => process.stdout.write(m)); s.on('error', () => {}); s.bind(4000, () => setInterval(() => s.send('x', 53, process.argv[1]), 20))`;

function ip(...words: readonly string[]): void {
  const { status, stderr } = spawnSync('ip', words, { encoding: 'utf8' });
  assert.equal(status, 0, `ip ${words.join(' ')}: ${stderr}`);
}

function within(namespace: string, ...command: readonly string[]): string {
  const { stdout, stderr } = spawnSync('ip', ['netns', 'exec', namespace, ...command], { encoding: 'utf8' });
  return stdout + stderr;
}

function connect(pod: string, address: string, gateway: string, bridge: string): void {
  ip('-n', HOST, 'link', 'add', `v${pod}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pod);
  if (bridge === '') ip('-n', HOST, 'address', 'add', `${gateway}/24`, 'dev', `v${pod}`);
  else {
    ip('-n', HOST, 'link', 'set', `v${pod}`, 'master', bridge);
    // As the bridge plugin does with `hairpinMode`: where bridged packets are shown, one may have to go back where it came from.
    ip('-n', HOST, 'link', 'set', `v${pod}`, 'type', 'bridge_slave', 'hairpin', 'on');
  }
  ip('-n', HOST, 'link', 'set', `v${pod}`, 'up');
  ip('-n', pod, 'address', 'add', `${address}/24`, 'dev', 'eth0');
  ip('-n', pod, 'link', 'set', 'eth0', 'up');
  ip('-n', pod, 'route', 'add', 'default', 'via', gateway);
}

const inHost: typeof runTool = (tool, args, input) =>
  runTool('ip', ['netns', 'exec', HOST, findTool(tool) ?? tool, ...args], input);
const place = placeOf('edge-1', `/test/${ID}`, new Map());
const servers: ChildProcess[] = [];

before(async () => {
  if (skip !== false) return;
  for (const namespace of [HOST, POD_A, POD_B, STRANGER]) {
    ip('netns', 'add', namespace);
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
  }
  ip('-n', HOST, 'link', 'add', 'pods', 'type', 'bridge');
  ip('-n', HOST, 'address', 'add', `${GATEWAY}/24`, 'dev', 'pods');
  ip('-n', HOST, 'link', 'set', 'pods', 'up');
  connect(POD_A, A, GATEWAY, 'pods');
  connect(POD_B, B, GATEWAY, 'pods');
  connect(STRANGER, STRANGER_IP, HOST_IP, '');
  within(HOST, 'sysctl', '-w', 'net.ipv4.ip_forward=1');
  for (const [namespace, port] of [
    [POD_A, 8080],
    [POD_B, 8080],
    [HOST, 9090],
  ] as const)
    serve(namespace, port);
  await setUpAddress(place, inHost);
  await eventually('all servers answer', () =>
    [
      [HOST, A, 8080],
      [HOST, B, 8080],
      [HOST, HOST_IP, 9090],
    ].every(([from, to, port]) => get(String(from), `${to}:${port}`) !== ''),
  );
});
after(async () => {
  for (const server of servers) server.kill('SIGKILL');
  for (const namespace of [HOST, POD_A, POD_B, STRANGER]) spawnSync('ip', ['netns', 'delete', namespace]);
});

function serve(namespace: string, port: number): void {
  const words = ['netns', 'exec', namespace, process.execPath, '-e', SERVER, String(port)];
  servers.push(spawn('ip', words, { stdio: 'ignore' }));
}

/** Who was seen to call, or nothing when nobody answered. */
function get(namespace: string, at: string, patience = '5'): string {
  const { status, stdout } = spawnSync(
    'ip',
    ['netns', 'exec', namespace, 'curl', '-s', '--max-time', patience, `http://${at}`],
    { encoding: 'utf8' },
  );
  return status === 0 ? stdout : '';
}

function rulesetOf(
  pods: readonly string[],
  more: { readonly seesBridged?: boolean; readonly sticky?: boolean } = {},
): Ruleset {
  const { seesBridged = true, sticky = false } = more;
  const ports = [{ port: 80, targetPort: 8080, nodePort: 30_080, protocol: 'TCP' as const }];
  const affinity = sticky ? { sessionAffinity: 'ClientIP' as const } : {};
  const web = service('web', { ...WEB.spec, ...affinity, type: 'NodePort', ports });
  const onHost = service('host', {
    clusterIP: '10.96.7.2',
    selector: { app: 'host' },
    ports: [{ port: 80, targetPort: 9090, protocol: 'TCP' }],
  });
  const none = service('none', {
    clusterIP: '10.96.7.3',
    selector: { app: 'none' },
    ports: [{ port: 80, protocol: 'TCP' }],
  });
  const views = viewsOf({
    services: [web, onHost, none],
    pods: [...pods.map((each) => pod(each, { ip: each })), pod('host', { ip: HOST_IP, app: 'host' })],
    hostIp: place.address,
  });
  return {
    frame: { table: place.table, address: place.address, podIps: [A, B], seesBridged },
    rules: planRules(views),
  };
}

async function withRules(ruleset: Ruleset, check: (rules: PacketRules) => Promise<void> | void): Promise<void> {
  const rules = new PacketRules(place, silentLogger, inHost);
  await rules.open(ruleset.frame.seesBridged);
  await rules.apply(ruleset);
  await check(rules);
  await rules.remove();
}

function setBridged(isSeen: boolean): void {
  within(HOST, 'sysctl', '-w', `net.bridge.bridge-nf-call-iptables=${isSeen ? 1 : 0}`);
}

suite('packet rules', { skip, concurrency: 1 }, () => {
  test('pods, the host and strangers reach a pod by its Service, each on the way that is theirs', () =>
    withRules(rulesetOf([B]), () => {
      assert.notEqual(get(POD_A, WEB_IP), '', 'a pod by the address');
      assert.notEqual(get(HOST, WEB_IP), '', 'the host by the address');
      assert.equal(
        get(STRANGER, `${HOST_IP}:30080`),
        STRANGER_IP,
        'a stranger by the node port, and the pod sees who it is',
      );
      assert.notEqual(get(POD_A, `${HOST_IP}:30080`), '', 'a pod by the node port');
      assert.notEqual(get(HOST, `${HOST_IP}:30080`), '', 'the host by its own node port');
      assert.notEqual(get(POD_A, '10.96.7.2'), '', 'a pod on the host’s network');
      assert.equal(get(STRANGER, WEB_IP, '0.5'), '', 'addresses of Services are for pods');
    }));

  test('the host and pods reach what a person wrote down, wherever it is, and hear its answers', async () => {
    serve(STRANGER, 8081);
    const plc = service('plc', { clusterIP: '10.96.7.5', ports: [{ port: 80, protocol: 'TCP' }] });
    const views = viewsOf({ services: [plc], slices: [slice('plc', [STRANGER_IP], 8081)] });
    const { frame } = rulesetOf([]);
    await withRules({ frame, rules: planRules(views) }, async () => {
      await eventually('the host hears', () => get(HOST, '10.96.7.5') === HOST_IP);
      assert.equal(get(POD_A, '10.96.7.5'), A);
    });
  });

  test('what the host sends by way of another agent’s interface is led, and answered', async () => {
    const other = placeOf('edge-1', `/test/other/${ID}`, new Map());
    await setUpAddress(other, inHost);
    ip('-n', HOST, 'route', 'replace', '10.96.0.0/12', 'dev', other.interface, 'src', other.address, 'metric', '1');
    const strict = new PacketRules(other, silentLogger, inHost);
    await strict.open(true);
    await withRules(rulesetOf([B]), () => assert.equal(get(HOST, WEB_IP), GATEWAY));
    await strict.remove();
    await removeAddress(other, inHost);
  });

  test('a pod reaches itself by its Service', () =>
    withRules(rulesetOf([A]), () => assert.notEqual(get(POD_A, WEB_IP), '')));

  test('pods on one bridge reach each other whether the kernel shows bridged packets or not', async () => {
    setBridged(false);
    await withRules(rulesetOf([B], { seesBridged: false }), () => assert.equal(get(POD_A, WEB_IP), GATEWAY));
    setBridged(true);
    await withRules(rulesetOf([B]), () => assert.ok([A, GATEWAY].includes(get(POD_A, WEB_IP))));
  });

  test('every endpoint has its share, and a sticky client has one', async () => {
    const seen = new Map<string, string>();
    const reached = () =>
      within(HOST, 'curl', '-s', '--max-time', '5', '-o', '/dev/null', '-w', '%{http_code}', `http://${WEB_IP}`);
    await withRules(rulesetOf([A, B]), () => {
      for (let round = 0; round < 20; round++) assert.equal(reached(), '200');
      for (const [name, pod] of [
        ['A', A],
        ['B', B],
      ] as const)
        seen.set(name, flowsTo(pod));
    });
    assert.ok(
      [...seen.values()].every((flows) => flows !== ''),
      JSON.stringify([...seen]),
    );
    within(HOST, 'conntrack', '-F');
    await withRules(rulesetOf([A, B], { sticky: true }), () => {
      for (let round = 0; round < 8; round++) assert.equal(reached(), '200');
      assert.equal([A, B].filter((pod) => flowsTo(pod) !== '').length, 1);
    });
  });

  function flowsTo(pod: string): string {
    const { stdout } = spawnSync(
      'ip',
      ['netns', 'exec', HOST, 'conntrack', '-L', '-p', 'tcp', '--orig-dst', WEB_IP, '--reply-src', pod],
      { encoding: 'utf8' },
    );
    return stdout.trim();
  }

  test('what is led nowhere is refused at once', () =>
    withRules(rulesetOf([]), () => {
      for (const from of [POD_A, HOST]) {
        for (const at of [WEB_IP, '10.96.7.3', `${WEB_IP}:81`]) assert.match(refusal(from, at), /^7/, `${from} ${at}`);
      }
    }));

  /** What curl ends with: 7 refused, 28 waited in vain. */
  function refusal(namespace: string, at: string): string {
    return within(namespace, 'sh', '-c', 'curl -s --max-time 5 "$0"; echo $?', `http://${at}`).trim();
  }

  test('the node’s own address is for its pods, and for no stranger', async () => {
    const own = spawn('ip', ['netns', 'exec', HOST, process.execPath, '-e', SERVER, '9091'], { stdio: 'ignore' });
    servers.push(own);
    await withRules(rulesetOf([B]), async () => {
      await eventually('the server answers', () => get(HOST, `${place.address}:9091`) !== '');
      assert.equal(get(POD_A, `${place.address}:9091`), A);
      assert.equal(get(STRANGER, `${place.address}:9091`, '0.5'), '');
    });
  });

  test('names that are answered at another port are found at the usual one by pods and by the host', async () => {
    servers.push(spawn('ip', ['netns', 'exec', HOST, process.execPath, '-e', SERVER, '5300'], { stdio: 'ignore' }));
    const { frame } = rulesetOf([]);
    const rules = planRules([], { ip: place.address, port: 5300 });
    await withRules({ frame, rules }, async () => {
      for (const from of [POD_A, HOST]) await eventually('it answers', () => get(from, `${place.address}:53`) !== '');
    });
  });

  test('a pod that is let in late is let in at once, also into the table of the agent before', () =>
    withRules({ ...rulesetOf([B]), frame: { ...rulesetOf([B]).frame, podIps: [] } }, async () => {
      assert.equal(get(POD_A, WEB_IP, '0.5'), '');
      const next = new PacketRules(place, silentLogger, inHost);
      await next.open(true);
      assert.equal(await next.isThere(), true);
      await next.admit([A]);
      assert.notEqual(get(POD_A, WEB_IP), '');
    }));

  test('after somebody emptied the kernel’s tables the next change is whole', async () => {
    const rules = new PacketRules(place, silentLogger, inHost);
    await rules.open(true);
    await rules.apply(rulesetOf([A]));
    within(HOST, 'nft', 'flush', 'ruleset');
    assert.equal(await rules.isThere(), false);
    await assert.rejects(rules.apply(rulesetOf([B])), /No such file/);
    await rules.apply(rulesetOf([B]));
    assert.notEqual(get(POD_A, WEB_IP), '');
    await rules.remove();
    assert.equal(await rules.isThere(), false);
  });

  test('a caller over UDP goes on to who is there now, and does not call into the void', async () => {
    for (const [namespace, name] of [
      [POD_B, 'b'],
      [HOST, 'h'],
    ] as const) {
      servers.push(
        spawn('ip', ['netns', 'exec', namespace, process.execPath, '-e', UDP_SERVER, name], { stdio: 'ignore' }),
      );
    }
    const caller = spawn('ip', ['netns', 'exec', POD_A, process.execPath, '-e', UDP_CALLER, '10.96.7.4'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    servers.push(caller);
    let heard = '';
    caller.stdout.on('data', (chunk: Buffer) => (heard += chunk.toString()));
    const answersOf = (...pods: string[]): Ruleset => {
      const dns = service('dns', {
        clusterIP: '10.96.7.4',
        selector: { app: 'dns' },
        ports: [{ port: 53, targetPort: 5353, protocol: 'UDP' }],
      });
      const views = viewsOf({ services: [dns], pods: pods.map((each) => pod(each, { ip: each, app: 'dns' })) });
      return {
        frame: { table: place.table, address: place.address, podIps: [A, B], seesBridged: true },
        rules: planRules(views),
      };
    };
    await withRules(answersOf(), async (rules) => {
      await rules.apply(answersOf(B));
      await eventually('the first answers', () => heard.endsWith('b'));
      await rules.apply(answersOf(HOST_IP));
      await eventually('the other answers', () => heard.endsWith('h'));
    });
  });

  test('other people’s tables are as they were', async () => {
    within(HOST, 'nft', 'add', 'table', 'ip', 'others');
    within(HOST, 'nft', 'add', 'chain', 'ip', 'others', 'kept');
    const before = within(HOST, 'nft', 'list', 'table', 'ip', 'others');
    await withRules(rulesetOf([A, B]), async (rules) => rules.apply(rulesetOf([])));
    assert.equal(within(HOST, 'nft', 'list', 'table', 'ip', 'others'), before);
    assert.match(before, /kept/);
  });

  test('any change leaves the table as if it had been made whole', async () => {
    const world = fc.record({
      pods: fc.subarray([A, B, '10.99.0.4', '10.99.0.5']),
      isSticky: fc.boolean(),
      admitted: fc.subarray([A, B, '10.99.0.4']),
    });
    const toRuleset = ({
      pods,
      isSticky,
      admitted,
    }: {
      pods: string[];
      isSticky: boolean;
      admitted: string[];
    }): Ruleset => {
      const { frame, rules } = rulesetOf(pods, { sticky: isSticky });
      return { frame: { ...frame, podIps: admitted }, rules };
    };
    const load = (text: string) => inHost('nft', ['-f', '-'], text);
    const show = async () => canonical(await inHost('nft', ['list', 'table', 'ip', place.table]));
    await fc.assert(
      fc.asyncProperty(world, world, async (first, second) => {
        const [from, to] = [toRuleset(first), toRuleset(second)];
        await load(formatRuleset(from.frame, from.rules));
        await load(formatChange(from, to));
        const changed = await show();
        await load(formatRuleset(to.frame, to.rules));
        assert.deepEqual(changed, await show());
      }),
      { numRuns: runs(12) },
    );
    await load(`delete table ip ${place.table}\n`);
  });

  /** Chains and elements come in the order in which they were made. */
  function canonical(text: string): string[] {
    const blocks = text.split('\n\t}').map((block) => block.replaceAll(/\s+/g, ' ').trim());
    return blocks
      .map((block) =>
        block
          .split(/[,{} ]+/)
          .sort()
          .join(' '),
      )
      .sort();
  }

  test('the address outlives the agent and is found again; removed, nothing is left', async () => {
    const known = async () => {
      const lines = await inHost('ip', ['-oneline', '-4', 'address', 'show']);
      return lines.includes(`${place.address}/32`);
    };
    await setUpAddress(place, inHost);
    assert.equal(await known(), true);
    await removeAddress(place, inHost);
    await removeAddress(place, inHost);
    assert.equal(await known(), false);
  });
});

test('an agent has its own place, keeps the address that is set up, and avoids those of others', async () => {
  const first = placeOf('edge-1', '/a', new Map());
  assert.notEqual(placeOf('edge-1', '/b', new Map()).table, first.table);
  assert.deepEqual(placeOf('edge-1', '/a', new Map([[first.interface, ['169.254.99.9']]])).address, '169.254.99.9');
  assert.notEqual(placeOf('edge-1', '/a', new Map([['eth0', [first.address]]])).address, first.address);
  if (skip === false) assert.deepEqual((await hostAddressesByInterface()).get('lo'), ['127.0.0.1']);
});

/** `npm start -- --demo factory`: the devices of examples/factory, as a person meets them, and all of them again as OPC UA. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { makePair, readOpcUa } from '@skerry/devices/opcua-client';
import { CHECKOUT, eventually, freePort, kubectl, runToEnd } from '@skerry/testkit/processes';

suite('the factory', () => {
  const dir = mkdtempSync(join(tmpdir(), 'skerry-factory-'));
  const env = { ...process.env, SKERRY_DATA_DIR: dir, SKERRY_KEY_DIR: `${dir}-keys` };
  const flags: string[] = [];
  let child: ChildProcess;

  before(async () => {
    const [api, link] = [await freePort(), await freePort()];
    flags.push('--listen', `127.0.0.1:${api}`, '--link-listen', `127.0.0.1:${link}`, '--registry-listen', 'none');
    await start();
  });
  after(async () => {
    await stop();
    for (const folder of [dir, `${dir}-keys`]) rmSync(folder, { recursive: true, force: true });
  });

  async function start(): Promise<void> {
    const script = join(CHECKOUT, 'scripts', 'start.ts');
    let said = '';
    child = spawn(process.execPath, ['--conditions=source', script, '--demo', 'factory', ...flags], {
      cwd: CHECKOUT,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (said += String(text)));
    await eventually('what to try', () => {
      assert.equal(child.exitCode, null, said);
      return said.includes('skerry device watch');
    });
  }

  /** The processes of this story's simulated devices. */
  function simulators(): readonly string[] {
    const read = (pid: string, file: string) => {
      try {
        return readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0');
      } catch {
        return [];
      }
    };
    return readdirSync('/proc').filter(
      (pid) =>
        /^\d+$/.test(pid) &&
        read(pid, 'cmdline').some((argument) => argument.endsWith('/factory.cjs')) &&
        read(pid, 'environ').includes(`SKERRY_DATA_DIR=${dir}`),
    );
  }

  async function stop(): Promise<void> {
    if (child?.exitCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    await exit;
  }

  const skerry = (args: readonly string[]) => runToEnd(join(CHECKOUT, 'bin', 'skerry'), args, { env });

  /** Of a device, those of its properties that are good. */
  async function values(device: string): Promise<Readonly<Record<string, unknown>>> {
    const { code, stdout } = await skerry(['device', 'get', device, '-o', 'json']);
    if (code !== 0) return {};
    const live = JSON.parse(stdout) as { property: string; value: unknown; quality: string }[];
    return Object.fromEntries(
      live.filter(({ quality }) => quality === 'Good').map(({ property, value }) => [property, value]),
    );
  }

  const number = (device: string, property: string) =>
    eventually(`${property} of ${device}`, async () => {
      const value = (await values(device))[property];
      return typeof value === 'number' && { value };
    });

  test('each device says what it measures', async () => {
    const { value: voltage } = await number('meter-1', 'voltage');
    assert.ok(voltage > 227 && voltage < 233, String(voltage));
    const { value: force } = await number('press-1', 'force');
    assert.ok(force >= 0 && force <= 250, String(force));
    const { value: net } = await number('scale-1', 'net');
    assert.ok(net >= 0 && net <= 24, String(net));
    const { value: temperature } = await number('hall-1', 'temperature');
    assert.ok(temperature >= 19 && temperature <= 23, String(temperature));
  });

  test('the scale is written in its own protocol, and what it refuses is told', async () => {
    assert.equal((await skerry(['device', 'set', 'scale-1', 'tare=1.5'])).code, 0);
    await eventually('the tare', async () => (await values('scale-1'))['tare'] === 1.5);
    await skerry(['device', 'set', 'scale-1', 'tare=25']);
    await eventually('the refusal', async () => {
      const { stdout } = await skerry(['device', 'show', 'scale-1', '-o', 'json']);
      const { status = {} } = JSON.parse(stdout) as { status?: { writes?: Record<string, { reason?: string }> } };
      return status.writes?.['tare']?.reason?.includes('the device refused tare: reason 2');
    });
    assert.equal((await skerry(['device', 'call', 'scale-1', 'zero'])).code, 0);
  });

  test('the speeds that the press itself has kept are read over the link; the meter keeps none, and says so', async () => {
    await eventually('a speed', async () => {
      assert.equal((await skerry(['device', 'set', 'press-1', 'speed=45'])).code, 0);
      const { stdout } = await skerry([
        'device',
        'history',
        'press-1',
        'speed',
        '--to',
        '2100-01-01T00:00:00Z',
        '-o',
        'json',
      ]);
      const kept = JSON.parse(stdout || '[]') as readonly { readonly value: number; readonly quality: string }[];
      return kept.some(({ value, quality }) => value === 45 && quality === 'Good');
    });
    const { code, stderr } = await skerry(['device', 'history', 'meter-1', 'voltage']);
    assert.notEqual(code, 0);
    assert.match(stderr, /keeps no history; what was recorded of it is read by "skerry series query voltage"/);
  });

  test('a rule makes of machines of two protocols what the hall does', async () => {
    const status = await eventually('results', async () => {
      const { stdout } = await skerry(['rule', 'show', 'factory-load', '-o', 'json']);
      const { status: shown } = JSON.parse(stdout || '{}') as RuleShown;
      const at = shown?.onNodes['edge-1'];
      return (at?.rowsOut ?? 0) > 0 && at;
    });
    assert.deepEqual([status.state, status.lastError, status.errors], ['Running', '', 0]);
    const { stdout } = await skerry(['rule', 'explain', 'factory-load']);
    assert.match(stdout, /window .*tumbling.* in \d+, out \d+/i);
  });

  test('all of it is read by a client of OPC UA', async () => {
    const pair = await makePair('reader');
    const endpoint = await eventually('the server', async () => {
      const text = await kubectl(join(dir, 'kubeconfig'), ['get', 'opcuaserver', 'factory', '-o', 'json']);
      const { status = {} } = JSON.parse(text) as { status?: { endpoint?: string; devices?: number } };
      return status.devices === 4 && status.endpoint;
    });
    for (const node of ['meter-1/voltage', 'press-1/force', 'scale-1/net', 'hall-1/temperature'])
      await eventually(node, async () => {
        const { status, value } = await readOpcUa(
          { endpoint, pair, policy: NONE as never, mode: 1, name: 'reader' },
          `ns=2;s=${node}`,
        );
        return status === 'Good' && typeof value === 'number';
      });
  });

  test('it comes up again on what is there: nothing of it outlives a stop, and what was set is still wanted', async () => {
    assert.equal((await skerry(['device', 'set', 'scale-1', 'tare=2.5', '--wait'])).code, 0);
    assert.equal(simulators().length, 1);
    await stop();
    assert.deepEqual(simulators(), []);
    await start();
    await eventually('the tare', async () => {
      const { stdout } = await skerry(['device', 'show', 'scale-1']);
      // The simulated scale has forgotten it; nobody writes it twice.
      return /In sync: +no \(Drifted\): tare: 2\.5 is desired/.test(stdout);
    });
    for (const [device, property] of MEASURED) await number(device, property);
  });
});

interface RuleShown {
  readonly status?: {
    readonly onNodes: Readonly<
      Record<
        string,
        { readonly state: string; readonly lastError: string; readonly errors: number; readonly rowsOut: number }
      >
    >;
  };
}

const MEASURED = [
  ['meter-1', 'voltage'],
  ['press-1', 'force'],
  ['scale-1', 'net'],
  ['hall-1', 'temperature'],
] as const;

const NONE = 'http://opcfoundation.org/UA/SecurityPolicy#None';

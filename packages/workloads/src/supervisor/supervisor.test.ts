import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@skerry/base';
import { eventually } from '@skerry/testkit/processes';
import { connectSupervisor, ensureSupervisor, type SupervisorClient } from '../edge/supervisor-client.ts';
import { readStat } from './identity.ts';
import type { FurtherCommand, ProcessRecord, StartRequest } from './protocol.ts';

const hasBwrap = spawnSync('bwrap', ['--version']).status === 0;
const SANDBOX = ['/usr/bin/bwrap', '--dev-bind', '/', '/'];
const skip = hasBwrap ? false : 'bubblewrap is missing: apt-get install bubblewrap';
const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const COMMAND = [process.execPath, '--conditions=source', MAIN];

let directory: string;
let client: SupervisorClient;
const exits = new Map<string, ProcessRecord>();
const waiters = new Map<string, (record: ProcessRecord) => void>();

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'skerry-supervisor-'));
  client = await open();
});

after(async () => {
  for (const { id } of await client.list()) {
    await client.kill(id);
    await client.remove(id);
  }
  await client.shutdown();
  await client.closed;
  rmSync(directory, { recursive: true, force: true });
});

function open(agent = 'test'): Promise<SupervisorClient> {
  const onExit = (record: ProcessRecord) => {
    exits.set(record.id, record);
    waiters.get(record.id)?.(record);
  };
  return ensureSupervisor({ directory, agent, onExit, command: COMMAND, clock: systemClock });
}

function request(id: string, argv: string[], extra: Partial<StartRequest> = {}): StartRequest {
  return {
    id,
    labels: { test: id },
    argv,
    env: { PATH: '/usr/bin:/bin' },
    log: { path: join(directory, `${id}.log`), maxBytes: 1 << 20, maxFiles: 3 },
    ...extra,
  };
}

async function exitOf(id: string): Promise<ProcessRecord> {
  return exits.get(id) ?? new Promise((resolve) => waiters.set(id, resolve));
}

async function check(
  input: Partial<StartRequest> & { id: string; argv: string[] },
  expected: { code: number; log: string[]; reason?: string },
): Promise<void> {
  await client.start(request(input.id, input.argv, input));
  const { exit } = await exitOf(input.id);
  const lines = logOf(input.id);
  assert.deepEqual(
    { code: exit?.code, log: lines, ...(exit?.reason === undefined ? {} : { reason: exit.reason }) },
    expected,
  );
}

function logOf(id: string): string[] {
  const text = readFileSync(join(directory, `${id}.log`), 'utf8');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => line.slice(line.indexOf(' ') + 1));
}

/** The script runs once the test opens the gate. */
function whenOpened(gate: string, script: string): string[] {
  return ['sh', '-c', `until test -e ${join(directory, gate)}.gate; do sleep 0.02; done; ${script}`];
}

function openGate(gate: string): void {
  writeFileSync(join(directory, `${gate}.gate`), '');
}

/** Nothing of it runs any more, whether or not anybody has taken note. */
async function ended({ id, main, monitor }: ProcessRecord): Promise<void> {
  const isOver = ({ pid }: { readonly pid: number }) => ['Z', undefined].includes(readStat(pid)?.state);
  await eventually(`${id} has ended`, () => isOver(main) && (monitor === undefined || isOver(monitor)));
}

async function session(id: string, command: FurtherCommand, input?: string) {
  const process = await client.exec(id, command);
  if (input !== undefined) await process.writeStdin(Buffer.from(input));
  let text = '';
  for await (const { chunk } of process.output) text += chunk.toString();
  return { text, code: await process.exitCode };
}

test('output lands in the log by stream, and the exit code is told', () =>
  check(
    { id: 'plain', argv: ['sh', '-c', 'echo out; echo err >&2; exit 3'] },
    { code: 3, log: ['stdout F out', 'stderr F err'] },
  ));

test('a sandboxed process may reopen its standard output and its signal is an exit code', { skip }, () =>
  check(
    { id: 'boxed', sandbox: SANDBOX, argv: ['sh', '-c', 'echo again > /dev/stdout; kill -9 $$'] },
    { code: 137, log: ['stdout F again'] },
  ),
);

test('a program that does not exist is refused with the reason', async () => {
  await assert.rejects(
    client.start(request('missing', ['/no/such/program'])),
    /start of \/no\/such\/program failed: ENOENT/,
  );
  assert.equal(
    (await client.list()).some((record) => record.id === 'missing'),
    false,
  );
});

test('a sandbox that cannot be made is refused with what bubblewrap said', { skip }, async () => {
  const sandbox = [...SANDBOX, '--no-such-option'];
  await assert.rejects(client.start(request('badbox', ['true'], { sandbox })), /no-such-option/);
});

test('a sandbox that fails before its program runs counts as no start, not as an end of the program', {
  skip,
}, async () => {
  const sandbox = [...SANDBOX, '--ro-bind', join(directory, 'missing'), '/mnt'];
  await assert.rejects(client.start(request('unmade', ['true'], { sandbox })), /bwrap: Can't find source path/);
  assert.ok(!(await client.list()).some(({ id }) => id === 'unmade'));
});

test('a sandbox is made again when a mount of the host goes while it is made', { skip }, async () => {
  const [bwrap = '', ...options] = SANDBOX;
  const flaky = join(directory, 'flaky');
  const fails = `[ -e ${flaky}.once ] || { touch ${flaky}.once; echo "bwrap: Can't bind mount: No such file or directory" >&2; exit 1; }`;
  writeFileSync(flaky, `#!/bin/sh\n${fails}\nexec ${bwrap} "$@"\n`, { mode: 0o755 });
  await check(
    { id: 'again', sandbox: [flaky, ...options], argv: ['echo', 'made'] },
    { code: 0, log: ['stdout F made'] },
  );
});

test('killing takes grandchildren in sessions of their own along', async () => {
  const script = 'setsid sleep 1000 & echo $!; setsid sh -c "setsid sleep 1000 & echo \\$!; wait" & wait';
  await client.start(request('tree', ['sh', '-c', script]));
  while (logOf('tree').length < 2) await systemClock.sleep(10);
  const pids = logOf('tree').map((line) => Number(line.split(' ').at(-1)));
  await client.kill('tree');
  for (const pid of pids) assert.equal(['Z', undefined].includes(readStat(pid)?.state), true, `pid ${pid} is gone`);
});

test('a second agent is refused while the first one lives', async () => {
  const second = connectSupervisor({ directory, agent: 'other', onExit: () => {} });
  await assert.rejects(second, { code: 'SUPERVISOR_IN_USE' });
});

test('a second supervisor in one directory ends at once', async () => {
  const [program = '', ...args] = COMMAND;
  const second = spawn(program, [...args, '--directory', directory], { stdio: 'ignore' });
  assert.equal(await new Promise((resolve) => second.once('exit', resolve)), 1);
});

test('exec carries input, both outputs and the exit code', async () => {
  await client.start(request('host', ['sleep', '1000']));
  const { text, code } = await session(
    'host',
    { command: ['sh', '-c', 'read a; echo got $a; exit 5'], stdin: true },
    'hi\n',
  );
  assert.deepEqual({ text, code }, { text: 'got hi\n', code: 5 });
});

test('exec with a terminal is on a terminal of the asked size', async () => {
  const process = await client.exec('host', {
    command: [
      'sh',
      '-c',
      'test -t 0 && test -t 1 && until stty size | grep "45 123"; do sleep 0.02; done; read a; echo "$a"; exit 4',
    ],
    stdin: true,
    tty: true,
  });
  process.resize(123, 45);
  let text = '';
  const reading = (async () => {
    for await (const { chunk } of process.output) text += chunk.toString();
  })();
  await eventually('the terminal has the asked size', () => text.includes('45 123'));
  await process.writeStdin(Buffer.from('$(id);`x`\r'));
  await reading;
  assert.equal(await process.exitCode, 4);
  assert.match(text, /^45 123\r\n(?:.*\r\n)?\$\(id\);`x`\r\n$/);
});

test('a probe is cut off at its timeout together with what it started', async () => {
  const command = ['sh', '-c', 'echo early; sleep 1000'];
  const result = await client.run('host', command, { timeoutMs: 3_000, maxOutputBytes: 100 });
  assert.deepEqual(result, { exitCode: 137, output: 'early\n', timedOut: true });
});

test('exits while no agent is connected are told to the next one', async () => {
  const lonely = await client.start(request('lonely', whenOpened('lonely', 'echo bye; exit 9')));
  client.close();
  await client.closed;
  openGate('lonely');
  await ended(lonely);
  client = await open();
  const told = () => client.hello.records.find(({ id }) => id === 'lonely')?.exit ?? exits.get('lonely')?.exit;
  assert.equal((await eventually('its exit is told', told)).code, 9);
  assert.deepEqual(logOf('lonely'), ['stdout F bye']);
});

test('a supervisor killed with -9 is followed by one that adopts what ran and knows what ended', { skip }, async () => {
  const survivor = await client.start(
    request('survivor', ['sh', '-c', 'while :; do echo tick; sleep 0.1; done'], { sandbox: SANDBOX }),
  );
  const brief = await client.start(request('ended', whenOpened('ended', 'exit 6'), { sandbox: SANDBOX }));
  process.kill(client.hello.pid, 'SIGKILL');
  await client.closed;
  openGate('ended');
  await ended(brief);
  client = await open();
  const records = new Map(client.hello.records.map((record) => [record.id, record]));
  assert.deepEqual(records.get('survivor')?.main, survivor.main);
  assert.equal(records.get('survivor')?.exit, undefined);
  assert.equal(records.get('ended')?.exit?.code, 6);
  const before = logOf('survivor').length;
  await eventually('the log goes on', () => logOf('survivor').length > before);
  const killed = await client.kill('survivor');
  assert.equal(killed.exit?.code, 137);
});

test('a supervisor killed in the middle of starts leaves nothing running that nobody knows of', { skip }, async () => {
  for (const pauseMs of [0, 2, 5, 10, 20]) {
    const mark = `MARK=${directory}-${pauseMs}`;
    const env = { PATH: '/usr/bin:/bin', MARK: `${directory}-${pauseMs}` };
    const ids = Array.from({ length: 6 }, (_, index) => `burst-${pauseMs}-${index}`);
    const starts = ids.map((id) =>
      client.start(request(id, ['sleep', '1000'], id.endsWith('0') ? { env } : { env, sandbox: SANDBOX })),
    );
    await systemClock.sleep(pauseMs);
    process.kill(client.hello.pid, 'SIGKILL');
    await Promise.allSettled(starts);
    // What bubblewrap was about to do it does without a supervisor, too: this gives it the time, and no check depends on how long it takes.
    await systemClock.sleep(200);
    client = await open();
    const known = async () => (await client.list()).filter(({ id, exit }) => ids.includes(id) && exit === undefined);
    await eventually('what runs is what is known', async () => {
      const pids = (await known()).map(({ main }) => main.pid).sort((a, b) => a - b);
      assert.deepEqual(sleepers(mark), pids);
      return true;
    });
    for (const { id } of await known()) await client.kill(id);
    assert.deepEqual(sleepers(mark), []);
  }
});

test('whoever takes over hears of the starts that are still under way', async () => {
  const lost = client.start(request('under-way', ['sleep', '1000']));
  lost.catch(() => {});
  client.close();
  await client.closed;
  client = await open();
  assert.ok(client.hello.records.some(({ id }) => id === 'under-way'));
});

function sleepers(mark: string): number[] {
  const isSleeper = (pid: string) => {
    try {
      const isMarked = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(mark);
      return (
        isMarked && readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n' && readStat(Number(pid))?.state !== 'Z'
      );
    } catch {
      return false;
    }
  };
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isSleeper(name))
    .map(Number)
    .sort((a, b) => a - b);
}

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { systemClock } from '@skerry/base';
import { CommanderError } from 'commander';
import { completionScript } from './completion.ts';
import { findCloud } from './connection.ts';
import type { CliContext } from './context.ts';
import { formatAge, formatFacts, formatTable } from './output.ts';
import { createProgram } from './program.ts';

const work = mkdtempSync(join(tmpdir(), 'skerry-cli-'));
after(() => rmSync(work, { recursive: true, force: true }));

function contextOf(changes: Partial<CliContext> = {}): CliContext {
  return {
    version: '1.2.3',
    command: 'skerry',
    lib: join(work, 'lib'),
    node: process.execPath,
    defaultDataDir: join(work, 'none'),
    defaultKeyDir: join(work, 'keys'),
    environment: {},
    clock: systemClock,
    print: () => {},
    say: () => {},
    ...changes,
  };
}

interface Outcome {
  readonly printed: string;
  readonly said: string;
  readonly error?: unknown;
}

async function run(line: string, changes: Partial<CliContext> = {}): Promise<Outcome> {
  let printed = '';
  let said = '';
  const context = contextOf({ print: (text) => (printed += text), say: (text) => (said += text), ...changes });
  try {
    await createProgram(context, new AbortController().signal).parseAsync(line.split(' '), { from: 'user' });
    return { printed, said };
  } catch (error) {
    return { printed, said, error };
  }
}

/** What is refused before any cloud is asked, and what the user reads. */
async function checkRefused(line: string, sentence: RegExp): Promise<void> {
  const { printed, said, error } = await run(line);
  assert.ok(error instanceof Error, `${line} was taken`);
  assert.match(error instanceof CommanderError ? said : error.message, sentence);
  assert.equal(printed, '', 'errors are no results');
}

test('a command that does not exist is named, with the one that was meant', () =>
  checkRefused('nodes list', /unknown command 'nodes'[\s\S]*did you mean node/i));
test('a subcommand that does not exist is named', () => checkRefused('node lsit', /unknown command 'lsit'/));
test('a token needs a node', () => checkRefused('token create', /--node <name>' not specified[\s\S]*--help/));
test('a node has a name of Kubernetes', () =>
  checkRefused('token create --node Not_A_Name', /must be a node name such as edge-1, or a pattern/));
test('a token lives for a time', () => checkRefused('token create --node a --ttl soon', /--ttl soon/));
test('a token lives for at most a day', () => checkRefused('token create --node a --ttl 25h', /at most 24h/));
test('a token lives at all', () => checkRefused('token create --node a --ttl 0s', /more than nothing/));
test('output is JSON or for people', () => checkRefused('node list -o yaml', /Allowed choices are json/));
test('a node to show is named', () => checkRefused('node show', /missing required argument 'name'/));
test('there are two services', () => checkRefused('install everything', /Allowed choices are cloud, edge/));
test('there are three shells', () => checkRefused('completion powershell', /Allowed choices are bash, zsh, fish/));
test('a checkout is not installed', () => checkRefused('install cloud', /this is a checkout; unpack a tarball/));
test('up checks the name of its node', () => checkRefused('up --node Bad_Name', /lower-case letters/));
test('where there is no cloud, the next step is said', () =>
  checkRefused('node list', /found no cloud at .*npm start/));

test('every command has a help of its own', async () => {
  for (const command of [
    '',
    'up',
    'token',
    'token create',
    'node',
    'node list',
    'node show',
    'node revoke',
    'backup',
    'install',
    'completion',
    'version',
  ]) {
    const { printed, error } = await run(`${command} --help`.trim());
    assert.ok(error instanceof CommanderError && error.exitCode === 0, command);
    assert.match(printed, new RegExp(`^Usage: skerry ?${command}`), command);
  }
});

test('the version is told to people and to machines', async () => {
  assert.match((await run('version')).printed, /^skerry 1\.2\.3 \(linux\/\w+, Node v\d+/);
  assert.equal((JSON.parse((await run('version -o json')).printed) as { version: string }).version, '1.2.3');
});

interface Places {
  readonly flag?: string;
  readonly dataDir?: string;
  readonly variable?: string;
  readonly local?: string;
}

/** Each place holds a kubeconfig for a server of its own name; which one is spoken to? */
async function checkConnection({ flag, dataDir, variable, local }: Places, expected: string): Promise<void> {
  const root = mkdtempSync(join(work, 'places-'));
  const file = (server: string | undefined) => {
    if (server === undefined) return undefined;
    const folder = join(root, server);
    mkdirSync(folder);
    const cluster = `clusters: [{name: c, cluster: {server: "https://${server}:6443"}}]`;
    const rest = 'contexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {token: t}}]';
    writeFileSync(join(folder, 'kubeconfig'), `current-context: c\n${cluster}\n${rest}\n`);
    return folder;
  };
  const [atFlag, atDataDir, atVariable, atLocal] = [flag, dataDir, variable, local].map(file);
  const context = contextOf({
    defaultDataDir: atLocal ?? join(root, 'none'),
    ...(atVariable === undefined ? {} : { kubeconfig: join(atVariable, 'kubeconfig') }),
  });
  const { connection } = await findCloud(context, {
    ...(atFlag === undefined ? {} : { kubeconfig: join(atFlag, 'kubeconfig') }),
    ...(atDataDir === undefined ? {} : { dataDir: atDataDir }),
  });
  assert.equal(connection.server, `https://${expected}:6443`);
}

test('--kubeconfig comes before everything', () =>
  checkConnection({ flag: 'f', dataDir: 'd', variable: 'v', local: 'l' }, 'f'));
test('--data-dir comes before what was not asked for', () =>
  checkConnection({ dataDir: 'd', variable: 'v', local: 'l' }, 'd'));
test('the cloud of this machine comes before KUBECONFIG', () => checkConnection({ variable: 'v', local: 'l' }, 'l'));
test('KUBECONFIG serves where there is no other', () => checkConnection({ variable: 'v' }, 'v'));

test('tables have columns as wide as their widest cell and no blanks at the end', () =>
  assert.equal(
    formatTable(
      ['NAME', 'AGE'],
      [
        ['edge-100', '5m'],
        ['e', ''],
      ],
    ),
    'NAME       AGE\nedge-100   5m\ne\n',
  ));
test('facts have aligned values', () =>
  assert.equal(
    formatFacts([
      ['Name', 'a'],
      ['Status', 'Ready'],
    ]),
    'Name:    a\nStatus:  Ready\n',
  ));
test('ages are told in their largest unit, and never from the future', () => {
  for (const [elapsed, expected] of [
    [0, '0s'],
    [59_999, '59s'],
    [60_000, '1m'],
    [7_200_000, '2h'],
    [3 * 86_400_000, '3d'],
    [-5000, '0s'],
  ] as const)
    assert.equal(formatAge(1_000_000, 1_000_000 + elapsed), expected);
});

/** What bash offers for the last word of the line. */
function complete(line: string): readonly string[] {
  const words = line.split(' ');
  const script = completionScript(createProgram(contextOf(), new AbortController().signal), 'bash');
  const quoted = words.map((word) => `'${word}'`).join(' ');
  const ask = `${script}\nCOMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _skerry; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', ask], { encoding: 'utf8' });
  assert.equal(stderr, '');
  return stdout.split('\n').filter((word) => word !== '');
}

test('bash completes commands, subcommands, arguments and flags', () => {
  assert.deepEqual(complete('skerry to'), ['token']);
  assert.deepEqual(complete('skerry node '), ['list', 'show', 'revoke', '--help']);
  assert.deepEqual(complete('skerry token create --n'), ['--node']);
  assert.deepEqual(complete('skerry completion z'), ['zsh']);
  assert.deepEqual(complete('skerry install e'), ['edge']);
});

test('bash takes the value of a flag for no command, and leaves it to the shell', () => {
  assert.deepEqual(complete('skerry node list --data-dir node --ku'), ['--kubeconfig']);
  assert.deepEqual(complete('skerry token create --node e'), []);
});

test('scripts for the other shells are taken by those that are here', () => {
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    const script = completionScript(createProgram(contextOf(), new AbortController().signal), shell);
    assert.match(script, /revoke/);
    const { status, error, stderr } = spawnSync(shell, ['-n', '-c', script], { encoding: 'utf8' });
    assert.ok(error !== undefined || status === 0, stderr);
  }
});

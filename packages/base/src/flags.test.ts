import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeFlags, formatHostPort, listenAt, parseDuration, parseFlags, parseHostPort, toggle } from './flags.ts';

const TABLE = {
  listen: {
    text: 'Where to listen.',
    value: 'HOST:PORT',
    parse: parseHostPort,
    fallback: { host: '127.0.0.1', port: 6443 },
  },
  join: { text: 'An address.', value: 'HOST:PORT', repeatable: true, parse: parseHostPort },
  name: { text: 'A name.', value: 'NAME', parse: (text: string) => text },
  quiet: toggle('Say nothing.'),
} as const;

function check(args: readonly string[], expected: object): void {
  assert.deepEqual({ ...parseFlags(TABLE, args) }, expected);
}

const DEFAULTS = { listen: { host: '127.0.0.1', port: 6443 }, join: [], name: undefined, quiet: false };

test('without arguments every flag has its default', () => check([], DEFAULTS));

test('values, repeated values and switches are read', () =>
  check(['--listen', '[::1]:1', '--join', 'a:1', '--join=b:2', '--quiet', '--name', 'x'], {
    listen: { host: '::1', port: 1 },
    join: [
      { host: 'a', port: 1 },
      { host: 'b', port: 2 },
    ],
    name: 'x',
    quiet: true,
  }));

test('an unknown flag and a bad value are refused with a sentence that helps', () => {
  assert.throws(() => parseFlags(TABLE, ['--lisen', 'x']), /Unknown option '--lisen'; try --help/);
  assert.throws(() => parseFlags(TABLE, ['--listen', 'x']), /--listen x: must be HOST:PORT, such as 127.0.0.1:6443/);
  assert.throws(() => parseFlags(TABLE, ['stray']), /stray/);
});

test('help names each flag, its value and its default', () => {
  const help = describeFlags({ name: { text: 'A name.', value: 'NAME', parse: String, fallback: 'edge-1' } });
  assert.equal(help, '  --name NAME  A name. (default: edge-1)');
});

test('an address that cannot be listened at is told in terms of its flag', async () => {
  const fail = (code: string) => () => Promise.reject(Object.assign(new Error(`listen ${code}`), { code }));
  const at = { host: '127.0.0.1', port: 6443 };
  await assert.rejects(
    listenAt('listen', at, fail('EADDRINUSE')),
    /^CodedError: --listen 127.0.0.1:6443: another program/,
  );
  await assert.rejects(listenAt('listen', at, fail('EACCES')), /--listen 127.0.0.1:6443: this user may not/);
  await assert.rejects(listenAt('listen', at, fail('EMFILE')), /^Error: listen EMFILE$/);
  assert.equal(await listenAt('listen', at, () => Promise.resolve('open')), 'open');
});

test('host and port round-trip, IPv6 in brackets', () => {
  for (const text of ['127.0.0.1:6443', '[::1]:6444', 'cloud.example:1'])
    assert.equal(formatHostPort(parseHostPort(text)), text);
  for (const text of ['', ':1', 'a', 'a:b', 'a:70000', '::1:5']) assert.throws(() => parseHostPort(text));
});

test('durations add up and anything else is refused', () => {
  assert.equal(parseDuration('1h30m'), 5_400_000);
  assert.equal(parseDuration('250ms'), 250);
  for (const text of ['', '5', 'm', '-1s', '1 h']) assert.throws(() => parseDuration(text));
});

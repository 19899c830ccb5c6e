import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guardedReach, parseAllowedTargets } from './reach.ts';
import { OutletError } from './target.ts';

/** The addresses that are found for a host, or what is said instead. */
async function check(host: string, expected: readonly string[] | RegExp, allow = '', port = 80): Promise<void> {
  const reach = guardedReach({
    allowed: parseAllowedTargets(allow),
    ownAddresses: () => ['192.0.2.7', '2001:db8::7', 'fe80::7%eth0'],
  });
  const found = reach.find(host, port).then((all) => all.map(({ address }) => address));
  if (Array.isArray(expected)) assert.deepEqual(await found, expected);
  else
    await assert.rejects(found, (error) => {
      assert.ok(error instanceof OutletError && !error.isFinal);
      assert.match(error.message, expected as RegExp, host);
      return true;
    });
}

test('neither this machine nor its link nor what tells machines about themselves is reached, however it is written', async () => {
  for (const host of [
    '127.0.0.1',
    '127.9.9.9',
    '0.0.0.0',
    '::1',
    '::',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '64:ff9b::7f00:1',
    '64:ff9b::a9fe:a9fe',
    '169.254.169.254',
    'fd00:ec2::254',
    'fd20:ce::254',
    '64:ff9b:1::7f00:1',
    '64:ff9b:1::a9fe:a9fe',
    '100.100.100.200',
    '168.63.129.16',
    'fe80::1',
    'fe80::1%eth0',
    '224.0.0.1',
    'ff02::1',
    '255.255.255.255',
    '192.0.2.7',
    '::ffff:192.0.2.7',
    '2001:db8:0::7',
  ])
    await check(host, /may not reach it; skerry cloud --outlet-allow /);
});

test('a name is judged by the addresses that it has', () =>
  check('localhost', /^localhost, which is .*:80, is for the cloud's own machine/));

test('numbers that the system reads as addresses are judged as these', () =>
  check('2130706433', /2130706433, which is 127\.0\.0\.1:80,/));

test('everything else is reached, also in networks of one’s own', async () => {
  for (const host of ['10.0.0.1', '192.168.1.1', '172.16.0.1', '192.0.2.8', 'fd00::1', '2001:db8::8'])
    await check(host, [host]);
});

test('what the keeper of the cloud allows is reached, and nothing beside it', async () => {
  await check('127.0.0.1', ['127.0.0.1'], '127.0.0.1:8428', 8428);
  await check('127.0.0.1', /outlet-allow 127\.0\.0\.1:80 lets them/, '127.0.0.1:8428');
  await check('127.5.0.1', ['127.5.0.1'], '10.0.0.0/8,127.0.0.0/8');
  await check('::1', ['::1'], '[::1]:80');
  await check('::1', /--outlet-allow \[::1\]:81 /, '[::1]:80', 81);
  await check('fe80::1', ['fe80::1'], 'fe80::/10');
  await check('169.254.169.254', /may not reach/, '127.0.0.0/8');
});

test('what is no address is refused in words', () => {
  for (const text of ['localhost', '127.0.0.1/33', '127.0.0.1:99999', '::1:x', '300.0.0.1', '1.2.3.4/'])
    assert.throws(() => parseAllowedTargets(text), /is neither an address, nor a range/, text);
});

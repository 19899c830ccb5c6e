/** Who may try to be somebody, how often, and what that costs. */
import assert from 'node:assert/strict';
import { pbkdf2Sync } from 'node:crypto';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { fakeClock } from '@skerry/testkit';
import { FAILED_LOGINS_WINDOW_MS, LoginAttempts, MAX_FAILED_LOGINS } from './login-attempts.ts';
import { createPasswords, type Derive } from './passwords.ts';

const BLOCK_BYTES = 64;

function kept(password: string, iterations: number, bytes = BLOCK_BYTES): string {
  const salt = Buffer.from('0123456789ab');
  const hash = pbkdf2Sync(password, salt, iterations, bytes, 'sha512');
  return `$7$${iterations}$${salt.toString('base64')}$${hash.toString('base64')}`;
}

test('no name costs more than another, not even one that nobody has', async () => {
  let spent = 0;
  const counting: Derive = async (given, salt, iterations, bytes, digest) => {
    spent += iterations * Math.ceil(bytes / BLOCK_BYTES);
    return pbkdf2Sync(given, salt, iterations, bytes, digest);
  };
  const users = { plain: 'x', cheap: kept('x', 10), dear: kept('x', 300), long: kept('x', 100, 2 * BLOCK_BYTES) };
  const passwords = createPasswords(new Map(Object.entries(users)), counting);
  for (const name of [...Object.keys(users), 'nobody'])
    for (const given of ['x', 'y']) {
      spent = 0;
      assert.equal(await passwords.isRight(name, Buffer.from(given)), given === 'x' && name !== 'nobody', name);
      assert.equal(spent, 300, name);
    }
});

function attempts() {
  const clock = fakeClock();
  const logins = new LoginAttempts({ clock, log: silentLogger });
  let asked = 0;
  const attempt = (isRight: boolean, name = 'olga', peer = '10.0.0.1') =>
    logins.attempt(peer, name, async () => {
      asked++;
      return isRight;
    });
  const fail = (count: number, ...who: string[]) =>
    Promise.all(Array.from({ length: count }, () => attempt(false, ...who)));
  return { clock, logins, attempt, fail, asked: () => asked };
}

test('after too many wrong passwords in a row the right one is not looked at either, until the pause is over', async () => {
  const { clock, logins, attempt, fail, asked } = attempts();
  await fail(MAX_FAILED_LOGINS);
  assert.equal(await attempt(true), false);
  assert.deepEqual([asked(), logins.turnedAway], [MAX_FAILED_LOGINS, 1]);
  assert.equal(await attempt(true, 'omar'), true);
  assert.equal(await attempt(true, 'olga', '10.0.0.2'), true);
  await clock.advance(FAILED_LOGINS_WINDOW_MS);
  assert.equal(await attempt(true), true);
});

test('many at once are no way around the limit, and no reason to refuse those who are right', async () => {
  const wrong = attempts();
  await wrong.fail(5 * MAX_FAILED_LOGINS);
  assert.deepEqual([wrong.asked(), wrong.logins.turnedAway], [MAX_FAILED_LOGINS, 4 * MAX_FAILED_LOGINS]);
  const right = attempts();
  const all = await Promise.all(Array.from({ length: 5 * MAX_FAILED_LOGINS }, () => right.attempt(true)));
  assert.ok(all.every((each) => each));
});

test('a right password ends the count', async () => {
  const { attempt, fail, logins } = attempts();
  for (let turn = 0; turn < 3; turn++) {
    await fail(MAX_FAILED_LOGINS - 1);
    assert.equal(await attempt(true), true);
  }
  assert.equal(logins.turnedAway, 0);
});

test('whoever tries name after name is turned away as well, with all at that address who are not counted apart, until the pause is over', async () => {
  const { clock, logins, attempt, fail } = attempts();
  for (let name = 0; name < 1000; name++) await fail(1, `name-${name}`);
  assert.ok(logins.turnedAway > 900);
  assert.equal(await attempt(true, 'name-0'), true);
  assert.equal(await attempt(true), false);
  const before = logins.turnedAway;
  await fail(MAX_FAILED_LOGINS, 'guest', '10.0.0.2');
  assert.equal(await attempt(true, 'olga', '10.0.0.2'), true);
  assert.equal(logins.turnedAway, before);
  await clock.advance(FAILED_LOGINS_WINDOW_MS);
  assert.equal(await attempt(true), true);
});

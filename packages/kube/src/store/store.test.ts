import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { isStatus, type StatusReason } from '@skerry/api';
import { hasCode } from '@skerry/base';
import type { Change } from './contract.ts';
import type { SqliteStore } from './sqlite-store.ts';
import { nextTurn, openTestStore, type TemporaryDirectory, temporaryDirectory } from './testing/temporary-store.ts';

type Story = (store: SqliteStore, directory: TemporaryDirectory) => Promise<void>;

async function check(story: Story, options: Parameters<typeof openTestStore>[1] = {}): Promise<void> {
  using directory = temporaryDirectory();
  const store = openTestStore(directory.path('store.db'), options);
  await story(store, directory);
  assert.deepEqual(store.findDamage(), []);
  await store.close();
}

const failsWith = (reason: StatusReason) => (error: unknown) => isStatus(error, reason);

function told(changes: readonly Change[]): string[] {
  return changes.map((change) =>
    change.type === 'put'
      ? `${change.object.revision} ${change.object.key} ${change.previous?.json ?? '-'} > ${change.object.json}`
      : `${change.revision} ${change.key} ${change.previous.json} > gone`,
  );
}

test('a write is readable at once and on disk when its promise resolves', () =>
  check(async (store, directory) => {
    const written = store.put('/pods/a/x', '1');
    assert.equal(store.get('/pods/a/x')?.json, '1');
    assert.notEqual(store.durable(), undefined);
    assert.deepEqual(await written, { key: '/pods/a/x', revision: 1, json: '1' });
    assert.equal(store.durable(), undefined);
    await store.close();
    const again = openTestStore(directory.path('store.db'));
    assert.deepEqual(again.list('').items, [{ key: '/pods/a/x', revision: 1, json: '1' }]);
    assert.equal(again.epoch, store.epoch);
    await again.close();
    Object.assign(store, { findDamage: () => [] });
  }));

test('later writes of one turn build on earlier ones', () =>
  check(async (store) => {
    const [first, second, third] = await Promise.allSettled([
      store.put('/pods/a/x', '1', { ifRevision: 0 }),
      store.put('/pods/a/x', '2', { ifRevision: 1 }),
      store.put('/pods/a/x', '3', { ifRevision: 1 }),
    ]);
    assert.deepEqual([first?.status, second?.status, third?.status], ['fulfilled', 'fulfilled', 'rejected']);
    assert.equal(store.get('/pods/a/x')?.json, '2');
  }));

test('preconditions that fail say so in the words of Kubernetes', () =>
  check(async (store) => {
    await store.put('apps/deployments/a/x', '1');
    await assert.rejects(store.put('apps/deployments/a/x', '2', { ifRevision: 0 }), {
      message: 'deployments.apps "x" already exists',
    });
    await assert.rejects(store.put('apps/deployments/a/x', '2', { ifRevision: 7 }), failsWith('Conflict'));
    await assert.rejects(store.delete('apps/deployments/a/x', { ifRevision: 7 }), failsWith('Conflict'));
    await assert.rejects(store.delete('/pods/a/x'), { message: 'pods "x" not found' });
    assert.equal(store.revision, 1);
  }));

test('lists are in key order and by page, with what remains', () =>
  check(async (store) => {
    for (const name of ['c', 'a', 'b', 'd']) void store.put(`/pods/n/${name}`, name);
    await store.put('/pods/other/e', 'e');
    const page = store.list('/pods/n/', { limit: 2 });
    assert.deepEqual([page.items.map(({ json }) => json), page.remaining, page.revision], [['a', 'b'], 2, 5]);
    const rest = store.list('/pods/n/', { after: '/pods/n/b', limit: 2, revision: page.revision });
    assert.deepEqual([rest.items.map(({ json }) => json), rest.remaining], [['c', 'd'], 0]);
    assert.equal(store.count('/pods/'), 5);
  }));

test('pages of one list show one revision whatever is written in between', () =>
  check(async (store) => {
    await Promise.all(['a', 'b', 'c'].map((name) => store.put(`/pods/n/${name}`, '1')));
    const { revision } = store.list('/pods/n/', { limit: 1 });
    await Promise.all([store.put('/pods/n/b', '2'), store.delete('/pods/n/c'), store.put('/pods/n/bb', '1')]);
    void store.put('/pods/n/a', 'not on disk yet');
    const page = store.list('/pods/n/', { revision });
    assert.deepEqual(
      page.items.map(({ key, json }) => [key, json]),
      [
        ['/pods/n/a', '1'],
        ['/pods/n/b', '1'],
        ['/pods/n/c', '1'],
      ],
    );
    assert.equal(page.remaining, 0);
  }));

test('a revision that was compacted is Expired, one of the future is a Timeout', () =>
  check(async (store) => {
    for (let i = 0; i < 10; i++) await store.put('/pods/a/x', String(i));
    store.compact(3);
    assert.equal(store.compactedRevision, 7);
    assert.throws(() => store.list('/pods/', { revision: 6 }), failsWith('Expired'));
    assert.throws(() => store.subscribe('/pods/', 6, () => {}), failsWith('Expired'));
    assert.equal(store.list('/pods/', { revision: 7 }).items[0]?.json, '6');
    assert.throws(() => store.list('/pods/', { revision: 11 }), failsWith('Timeout'));
  }));

test('subscribers hear commits in order, each with what was there before', () =>
  check(async (store) => {
    const heard: string[] = [];
    store.subscribe('/pods/', 0, (changes) => heard.push(...told(changes)));
    await Promise.all([store.put('/pods/a/x', '1'), store.put('/secrets/a/x', 's'), store.put('/pods/a/x', '2')]);
    await store.delete('/pods/a/x');
    assert.deepEqual(heard, ['1 /pods/a/x - > 1', '3 /pods/a/x 1 > 2', '4 /pods/a/x 2 > gone']);
  }));

test('a late subscriber reads the log first, then goes on live', () =>
  check(async (store) => {
    for (let i = 1; i <= 2_500; i++) void store.put(`/pods/a/${i % 10}`, String(i));
    await store.durable();
    const heard: number[] = [];
    store.subscribe('/pods/', 100, (changes) => {
      for (const change of changes) if (change.type === 'put') heard.push(change.object.revision);
    });
    assert.deepEqual(heard, []);
    for (let turn = 0; turn < 5; turn++) await store.put('/pods/a/x', 'live');
    assert.deepEqual(
      heard,
      Array.from({ length: 2_405 }, (_, i) => 101 + i),
    );
  }));

test('a closed subscription hears nothing more, even from within', () =>
  check(async (store) => {
    let heard = 0;
    const subscription = store.subscribe('', 0, () => {
      heard++;
      subscription.close();
    });
    await store.put('/pods/a/x', '1');
    await store.put('/pods/a/x', '2');
    assert.equal(heard, 1);
  }));

test('a subscriber that throws disturbs nobody', () =>
  check(async (store) => {
    const heard: string[] = [];
    store.subscribe('', 0, () => {
      throw new Error('broken');
    });
    store.subscribe('', 0, (changes) => heard.push(...told(changes)));
    await store.put('/pods/a/x', '1');
    assert.equal(heard.length, 1);
  }));

test('a subscriber that writes and compacts leaves the order of commits to the others', () =>
  check(async (store) => {
    const heard: string[] = [];
    let echoed: Promise<unknown> | undefined;
    store.subscribe('', 0, () => {
      echoed ??= store.put('/pods/a/y', 'echo');
      store.compact(0);
    });
    store.subscribe('', 0, (changes) => heard.push(...told(changes)));
    await store.put('/pods/a/x', '1');
    await echoed;
    assert.deepEqual(heard, ['1 /pods/a/x - > 1', '2 /pods/a/y - > echo']);
  }));

test('of leases only the newest version is kept, and watchers see them still', () =>
  check(async (store) => {
    for (let i = 1; i <= 5; i++) await store.put('coordination.k8s.io/leases/n/a', String(i));
    const heard: string[] = [];
    store.subscribe('coordination.k8s.io/leases/', 2, (changes) => heard.push(...told(changes)));
    await nextTurn();
    assert.deepEqual(heard, ['5 coordination.k8s.io/leases/n/a 5 > 5']);
  }));

test('the log is compacted on the way, never what is current', () =>
  check(
    async (store) => {
      await store.put('/pods/a/old', 'kept');
      for (let i = 0; i < 3_000; i++) await store.put(`/pods/a/${i % 5}`, String(i));
      assert.ok(store.compactedRevision > 1_000, `compacted ${store.compactedRevision}`);
      const [row] = store.database.prepare('SELECT COUNT(*) AS rows FROM log').all();
      assert.ok(Number(row?.['rows']) < 1_800, `${row?.['rows']} rows`);
      assert.equal(store.get('/pods/a/old')?.json, 'kept');
    },
    { retention: { minWrites: 100, maxWrites: 1_000, maxAgeMs: 0 } },
  ));

test('a commit that fails rejects its writes and takes them back', () =>
  check(
    async (store) => {
      await store.put('/pods/a/x', 'before');
      const heard: string[] = [];
      store.subscribe('', 1, (changes) => heard.push(...told(changes)));
      const huge = 'h'.repeat(1_000_000);
      const outcomes = await Promise.allSettled([
        store.put('/pods/a/x', 'after'),
        store.delete('/pods/a/x'),
        store.put('/pods/a/y', huge),
      ]);
      assert.deepEqual(
        outcomes.map((outcome) => outcome.status === 'rejected' && hasCode(outcome.reason, 'STORE_COMMIT')),
        [true, true, true],
      );
      assert.deepEqual(
        store.list('').items.map(({ key, json }) => [key, json]),
        [['/pods/a/x', 'before']],
      );
      await store.put('/pods/a/x', 'small');
      assert.deepEqual(heard, ['5 /pods/a/x before > small']);
    },
    { maxBytes: 500_000 },
  ));

test('a second process is refused and told who holds the file', () =>
  check(async (store, directory) => {
    await store.put('/pods/a/x', '1');
    const program = new URL('./testing/writer-process.ts', import.meta.url).pathname;
    const file = directory.path('store.db');
    const second = spawnSync(process.execPath, ['--conditions=source', program, file], { encoding: 'utf8' });
    assert.match(second.stderr, new RegExp(`another process has it open \\(pid ${process.pid}\\)`));
    assert.throws(
      () => openTestStore(file),
      (error) => hasCode(error, 'STORE_LOCKED'),
    );
  }));

test('the file is readable by its owner alone', () =>
  check(async (store, directory) => {
    await store.put('/pods/a/x', '1');
    for (const name of ['store.db', 'store.db-wal']) {
      assert.equal(statSync(directory.path(name)).mode & 0o777, 0o600, name);
    }
  }));

test('a backup made under load is one instant, and a history of its own', () =>
  check(async (store, directory) => {
    for (let i = 0; i < 2_000; i++) void store.put(`/pods/a/${i}`, 'before');
    const copied = store.backupTo(directory.path('backup.db'));
    for (let i = 0; i < 2_000; i++) await store.put(`/pods/a/${i}`, 'after');
    await copied;
    const backup = openTestStore(directory.path('backup.db'));
    assert.equal(backup.count('/pods/'), 2_000);
    assert.ok(backup.list('').items.every(({ json }) => json === 'before'));
    assert.notEqual(backup.epoch, store.epoch);
    assert.ok(backup.revision > store.revision);
    assert.throws(() => backup.subscribe('', store.revision, () => {}), failsWith('Expired'));
    assert.deepEqual(backup.findDamage(), []);
    await backup.close();
  }));

test('work alongside a write is in its transaction, or not at all', () =>
  check(
    async (store) => {
      const note = (text: string) => (database: DatabaseSync) => {
        database.prepare('INSERT INTO notes VALUES (?)').run(text);
      };
      await store.put('/pods/a/x', '1', { alongside: note('kept') });
      await assert.rejects(store.put('/pods/a/x', '2', { ifRevision: 9, alongside: note('refused') }));
      await store.alongside(note('alone'));
      assert.deepEqual(
        store.database
          .prepare('SELECT text FROM notes')
          .all()
          .map(({ text }) => text),
        ['kept', 'alone'],
      );
    },
    { schema: 'CREATE TABLE notes (text TEXT)' },
  ));

test('a closed store refuses writes', () =>
  check(async (store) => {
    await store.close();
    await assert.rejects(store.put('/pods/a/x', '1'), (error) => hasCode(error, 'STORE_CLOSED'));
    Object.assign(store, { findDamage: () => [] });
  }));

import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { digestOf } from '../digest.ts';
import { type RawEntry, tarOf } from '../testing/tar-archive.ts';
import { type Bounds, DEFAULT_BOUNDS } from './bounds.ts';
import { RefusedLayer, unpackLayers } from './unpack-layers.ts';

const isRoot = userInfo().uid === 0;

/** A directory with a target, and beside it what no archive may touch. */
class Ground implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'skerry-unpack-'));
  readonly target = join(this.directory, 'target');

  constructor() {
    mkdirSync(join(this.directory, 'outside'));
    writeFileSync(join(this.directory, 'outside', 'file'), 'untouched');
    mkdirSync(this.target);
  }

  async unpack(layers: readonly (readonly RawEntry[] | Layer)[], bounds: Partial<Bounds> = {}, keepsOwners = isRoot) {
    const files = layers.map((layer, index) => {
      const { archive, sent } = 'archive' in layer ? layer : plain(tarOf(layer));
      const path = join(this.directory, `layer-${index}`);
      writeFileSync(path, sent);
      return { path, digest: `layer-${index}`, diffId: digestOf(archive) };
    });
    const job = { layers: files, target: this.target, keepsOwners, bounds: { ...DEFAULT_BOUNDS, ...bounds } };
    try {
      await unpackLayers(job);
    } finally {
      for (const { path } of files) rmSync(path);
    }
  }

  /** Everything beside the target, with its content. */
  outside(): unknown {
    return [readdirSync(this.directory), tree(join(this.directory, 'outside'))];
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

interface Layer {
  readonly archive: Buffer;
  readonly sent: Buffer;
}
const plain = (archive: Buffer): Layer => ({ archive, sent: archive });

/** Files by path: their content, `-> target` for links, null for directories. */
function tree(root: string, prefix = ''): Record<string, string | null> {
  const found: Record<string, string | null> = {};
  for (const { name } of readdirSync(root, { withFileTypes: true })) {
    const [path, at] = [`${prefix}${name}`, join(root, name)];
    const stats = lstatSync(at);
    if (stats.isSymbolicLink()) found[path] = `-> ${readlinkSync(at)}`;
    else if (stats.isDirectory()) Object.assign(found, { [path]: null }, tree(at, `${path}/`));
    else found[path] = readFileSync(at, 'utf8');
  }
  return found;
}

async function check(layers: readonly (readonly RawEntry[] | Layer)[], expected: Record<string, string | null>) {
  using ground = new Ground();
  await ground.unpack(layers);
  assert.deepEqual(tree(ground.target), expected);
}

async function checkRefused(
  layers: readonly (readonly RawEntry[] | Layer)[],
  problem: RegExp,
  bounds: Partial<Bounds> = {},
) {
  using ground = new Ground();
  const before = ground.outside();
  await assert.rejects(ground.unpack(layers, bounds), (error) => {
    assert.ok(error instanceof RefusedLayer, String(error));
    assert.match(error.message, problem);
    return true;
  });
  assert.deepEqual(ground.outside(), before);
}

const file = (name: string, content = 'x'): RawEntry => ({ name, content });
const directory = (name: string, mode = 0o755): RawEntry => ({ name, type: '5', mode });
const symlink = (name: string, target: string): RawEntry => ({ name, type: '2', target });
const hardlink = (name: string, target: string): RawEntry => ({ name, type: '1', target });

test('files, directories and links are as the archive says', () =>
  check([[directory('./'), directory('d'), file('d/f', 'hello'), symlink('l', '/d/f'), hardlink('h', '/d/f')]], {
    d: null,
    'd/f': 'hello',
    l: '-> /d/f',
    h: 'hello',
  }));
test('directories that nobody mentions are made', () =>
  check([[file('a/b/c')]], { a: null, 'a/b': null, 'a/b/c': 'x' }));
test('long names, and names in any script, are kept', () => {
  const name = `${'long/'.repeat(30)}Főtanúsítvány\\x2d.crt`;
  return check([[file(name)]].concat([[file('ok')]]), {
    ...Object.fromEntries(Array.from({ length: 30 }, (_, depth) => ['long/'.repeat(depth + 1).slice(0, -1), null])),
    [name]: 'x',
    ok: 'x',
  });
});
test('modes and times are kept, and owners where we are root', { skip: !isRoot }, async () => {
  using ground = new Ground();
  await ground.unpack([
    [{ ...file('f'), mode: 0o4755, uid: 7, gid: 8 }, { ...directory('d', 0o1777), uid: 9 }, file('d/x')],
  ]);
  const [stats, folder] = [statSync(join(ground.target, 'f')), statSync(join(ground.target, 'd'))];
  assert.deepEqual([stats.mode & 0o7777, stats.uid, stats.gid, stats.mtimeMs], [0o4755, 7, 8, 1_700_000_000_000]);
  assert.deepEqual([folder.mode & 0o7777, folder.uid, folder.mtimeMs], [0o1777, 9, 1_700_000_000_000]);
});
test('without root nothing gains privileges, and all can be removed again', async () => {
  using ground = new Ground();
  await ground.unpack([[{ ...file('f'), mode: 0o6000, uid: 7 }, { ...directory('d', 0o2000) }]], {}, false);
  assert.equal(statSync(join(ground.target, 'f')).mode & 0o7777, 0o400);
  assert.equal(statSync(join(ground.target, 'd')).mode & 0o7777, 0o700);
});

test('a later layer replaces and adds', () =>
  check(
    [
      [file('a', '1'), directory('d'), file('d/x')],
      [file('a', '2'), file('d', 'no directory now'), directory('a2')],
    ],
    {
      a: '2',
      d: 'no directory now',
      a2: null,
    },
  ));
test('a whiteout removes what is below it, and nothing of its own layer', () =>
  check(
    [
      [file('d/a'), file('d/b'), file('d/c/x')],
      [file('d/.wh.a', ''), file('d/.wh.c', ''), file('d/c/y'), file('.wh.none', '')],
    ],
    {
      d: null,
      'd/b': 'x',
      'd/c': null,
      'd/c/y': 'x',
    },
  ));
test('an opaque directory hides what is below it, wherever in the layer it is said', () =>
  check(
    [
      [file('d/a'), file('d/e/f')],
      [file('d/b'), file('d/e/g'), file('d/.wh..wh..opq', ''), file('d/c')],
    ],
    {
      d: null,
      'd/b': 'x',
      'd/e': null,
      'd/e/g': 'x',
      'd/c': 'x',
    },
  ));
test('a path may lead through a link within the image', () =>
  check(
    [
      [directory('usr/lib'), symlink('lib', 'usr/lib'), symlink('up', 'usr/../usr/lib')],
      [file('lib/a'), file('up/b')],
    ],
    {
      usr: null,
      'usr/lib': null,
      'usr/lib/a': 'x',
      'usr/lib/b': 'x',
      lib: '-> usr/lib',
      up: '-> usr/../usr/lib',
    },
  ));
test('layers may be compressed by gzip and zstd, in several parts', async () => {
  const archive = tarOf([file('a', 'a'.repeat(3000))]);
  await check([{ archive, sent: gzipSync(archive) }], { a: 'a'.repeat(3000) });
  await check([{ archive, sent: zstdCompressSync(archive) }], { a: 'a'.repeat(3000) });
  const halves = [archive.subarray(0, 700), archive.subarray(700)];
  for (const compress of [gzipSync, zstdCompressSync])
    await check([{ archive, sent: Buffer.concat(halves.map((half) => compress(half))) }], { a: 'a'.repeat(3000) });
});
test('devices for /dev are left out', () =>
  check([[{ name: 'dev/null', type: '3' }, file('a')]], { dev: null, a: 'x' }));

test('names that lead out are refused', async () => {
  await checkRefused([[file('../outside/file')]], /leads out/);
  await checkRefused([[file('a/../../outside/new')]], /leads out/);
  await checkRefused([[file('..\\outside')]], /leads out/);
  await checkRefused([[file('/etc/x')]], /absolute/);
  await checkRefused([[directory('..')]], /leads out/);
  await checkRefused([[file('.wh...', '')]], /removes nothing/);
  await checkRefused([[file('.wh.', '')]], /removes nothing/);
});
test('links are no way out', async () => {
  await checkRefused([[symlink('out', '../outside'), file('out/file')]], /leads out of the image/);
  await checkRefused([[symlink('out', '/outside'), file('out/file')]], /link to nowhere/);
  await checkRefused([[symlink('out', '../outside'), file('out/.wh.file', '')]], /leads out/);
  await checkRefused([[symlink('out', '../outside'), file('out/.wh..wh..opq', '')]], /leads out/);
  await checkRefused([[symlink('a', 'b'), symlink('b', 'a'), file('a/x')]], /too many links/);
  await checkRefused([[hardlink('h', '../outside/file')]], /leads out/);
  await checkRefused([[symlink('out', '../outside'), hardlink('h', 'out/file')]], /leads out/);
  await checkRefused([[hardlink('h', 'none')]], /no file of the image/);
  await checkRefused([[directory('d'), hardlink('h', 'd')]], /no file of the image/);
});
test('a file takes the place of a link, and is not written through it', () =>
  check([[symlink('l', '../outside/file')], [file('l', 'mine')]], { l: 'mine' }));
test('a hard link to a link, written over, changes neither', () =>
  check([[symlink('l', '../outside/file'), hardlink('h', 'l'), file('h', 'mine')]], {
    l: '-> ../outside/file',
    h: 'mine',
  }));
test('devices, and what nobody knows, are refused', async () => {
  await checkRefused([[{ name: 'sda', type: '4' }]], /is a device/);
  await checkRefused([[{ name: 'pipe', type: '6' }]], /is a device/);
  await checkRefused([[{ name: 's', type: 'S' }]], /of a kind/);
  await checkRefused([[file('f'), file('f/x')]], /through a file/);
  await checkRefused([[{ ...file('f'), uid: 0xffff_ffff }]], /owner/);
});
test('what is no archive is refused', async () => {
  await checkRefused([plain(Buffer.from('<html>'.repeat(1000)))], /no sound tar/);
  await checkRefused([plain(tarOf([{ ...file('f'), size: 2 ** 32 }]))], /no sound tar/);
  const archive = tarOf([file('f')]);
  await checkRefused([{ archive, sent: gzipSync(archive).subarray(0, 40) }], /unexpected end/);
  await checkRefused([{ archive, sent: gzipSync(gzipSync(archive)) }], /more than once/);
  await checkRefused([{ archive: tarOf([file('g')]), sent: archive }], /hashes to sha256/);
});
test('bombs end at a bound', async () => {
  const zeros = tarOf([file('zeros', '\0'.repeat(2_000_000))]);
  await checkRefused([{ archive: zeros, sent: gzipSync(zeros) }], /100 times/, { freeBytes: 1_000_000 });
  await checkRefused([[file('f', 'x'.repeat(5000))]], /more than 4096 bytes/, { maxBytes: 4096 });
  await checkRefused([[file('a'), file('b')], [file('c')]], /more than 2 files/, { maxEntries: 2 });
  const blocks = Buffer.alloc(3_000_000);
  await checkRefused([{ archive: blocks, sent: gzipSync(blocks) }], /100 times/, { freeBytes: 1_000_000 });
  await checkRefused([[file('x'.repeat(300))]], /ENAMETOOLONG/);
});

const step = fc.constantFrom('a', 'b', 'c', '..', '.', '', 'outside', '.wh.a', '.wh..wh..opq', '.wh...');
const path = fc.array(step, { minLength: 1, maxLength: 4 }).map((steps) => steps.join('/'));
const entry: fc.Arbitrary<RawEntry> = fc.record({
  name: fc.oneof(path, fc.string({ unit: 'binary', maxLength: 12 })).map((name) => name || '.'),
  type: fc.constantFrom('0', '1', '2', '2', '3', '5', '5', 'L', 'x', 'g', 'K'),
  target: fc.oneof(path, fc.constantFrom('/', '../outside', '../outside/file', '/../outside', 'a/../..')),
  content: fc.constantFrom('', 'x', '18 path=../outside\n'),
  mode: fc.constantFrom(0, 0o755, 0o6777),
});

test('whatever archives say, nothing outside is touched', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(entry, { maxLength: 8 }), { minLength: 1, maxLength: 3 }), async (layers) => {
      using ground = new Ground();
      const before = ground.outside();
      await ground.unpack(layers).catch((error: unknown) => assert.ok(error instanceof RefusedLayer, String(error)));
      assert.deepEqual(ground.outside(), before);
      assert.ok(existsSync(ground.target));
    }),
    { numRuns: 300 },
  );
});

test('damaged archives are refused or harmless', async () => {
  const sound = tarOf([directory('d'), file('d/f', 'y'.repeat(600)), symlink('l', 'd'), hardlink('h', 'd/f')]);
  const change = fc.record({ at: fc.nat(sound.length - 1), to: fc.nat(255) });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 5 }), async (changes) => {
      using ground = new Ground();
      const archive = Buffer.from(sound);
      for (const { at, to } of changes) archive[at] = to;
      const before = ground.outside();
      await ground
        .unpack([plain(archive)])
        .catch((error: unknown) => assert.ok(error instanceof RefusedLayer, String(error)));
      assert.deepEqual(ground.outside(), before);
    }),
    { numRuns: 200 },
  );
});

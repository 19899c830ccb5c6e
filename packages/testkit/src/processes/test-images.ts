/** Images for tests, made on the spot from Debian's busybox-static: one with a shell, one that holds a sandbox. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { arch } from 'node:os';
import { join } from 'node:path';

export const BUSYBOX_IMAGE = 'skerry.test/busybox:1';
export const PAUSE_IMAGE = 'skerry.test/pause:1';

const BUSYBOX = '/bin/busybox';
/** The media type of a manifest. */
export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

interface Described {
  readonly digest: string;
  readonly size: number;
}

/** Writes an OCI archive with both images to `file`, using the directory `work` meanwhile. */
export function makeImages(work: string, file: string): void {
  const layout = writeImageLayout(work);
  execFileSync('tar', ['-C', layout, '-cf', file, '.']);
  rmSync(layout, { recursive: true });
}

/** Writes both images as an OCI layout below `work`, the one with a shell first, and says where. `ballast` makes its layer as large. */
export function writeImageLayout(work: string, ballast = 0): string {
  const layout = join(work, 'layout');
  const blobs = join(layout, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  const layer = addBlob(blobs, makeLayer(work, ballast));
  const manifests = [
    addImage(blobs, layer, BUSYBOX_IMAGE, ['/bin/sh']),
    addImage(blobs, layer, PAUSE_IMAGE, [BUSYBOX, 'sleep', '2147483647']),
  ];
  writeFileSync(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  writeFileSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  return layout;
}

/** A root file system with every applet of busybox under its name. */
function makeLayer(work: string, ballast: number): Buffer {
  const root = join(work, 'root');
  for (const folder of ['bin', 'etc', 'tmp', 'root', 'dev', 'proc', 'sys', 'var'])
    mkdirSync(join(root, folder), { recursive: true });
  copyFileSync(BUSYBOX, join(root, 'bin', 'busybox'));
  const applets = execFileSync(BUSYBOX, ['--list'], { encoding: 'utf8' }).split('\n').filter(Boolean);
  for (const name of applets) if (name !== 'busybox') symlinkSync('busybox', join(root, 'bin', name));
  writeFileSync(join(root, 'etc', 'passwd'), 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n');
  writeFileSync(join(root, 'etc', 'group'), 'root:x:0:\nnogroup:x:65534:\n');
  execFileSync('chmod', ['1777', join(root, 'tmp')]);
  // Nothing that anybody could compress.
  if (ballast > 0) writeFileSync(join(root, 'ballast'), randomBytes(ballast));
  const file = join(work, 'layer.tar');
  execFileSync('tar', [
    '-C',
    root,
    '--numeric-owner',
    '--owner=0',
    '--group=0',
    '--sort=name',
    '--mtime=@0',
    '-cf',
    file,
    '.',
  ]);
  const bytes = readFileSync(file);
  rmSync(root, { recursive: true });
  rmSync(file);
  return bytes;
}

function addImage(blobs: string, layer: Described, name: string, cmd: readonly string[]): object {
  const config = addBlob(blobs, {
    architecture: ARCHITECTURES[arch()] ?? arch(),
    os: 'linux',
    config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: cmd },
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
  });
  const manifest = addBlob(blobs, {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer }],
  });
  return { mediaType: OCI_MANIFEST, ...manifest, annotations: { 'io.containerd.image.name': name } };
}

function addBlob(blobs: string, content: object | Buffer): Described {
  const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
  const hash = createHash('sha256').update(bytes).digest('hex');
  writeFileSync(join(blobs, hash), bytes);
  return { digest: `sha256:${hash}`, size: bytes.length };
}

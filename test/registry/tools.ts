/** What the stories of images share: a cloud with its registry, people with tokens, and one image of Debian's busybox. */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { freePort, runToEnd, TestCloud, writeImageLayout } from '@skerry/testkit/processes';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

export interface Asking {
  readonly body?: string | Uint8Array | Readable;
  readonly headers?: Readonly<Record<string, string>>;
  readonly token?: string;
}

export class RegistryCloud implements AsyncDisposable {
  readonly dir: string;
  readonly cloud: TestCloud;
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** An OCI layout with two images: `busybox` and `pause`. */
  readonly layout: string;
  /** A folder with `ca.crt`, as skopeo and its kin want it. */
  readonly certificates: string;
  /** May push to the namespace `team`. */
  pusher = '';
  /** May pull from it. */
  reader = '';

  /** `ballast` is how many bytes its image with a shell has at least. */
  static async start(args: readonly string[] = [], ballast = 0): Promise<RegistryCloud> {
    const host = `127.0.0.1:${await freePort()}`;
    const cloud = await TestCloud.start({ registryListen: host, args });
    const started = new RegistryCloud(cloud, host, ballast);
    await cloud.kubectl(['create', 'namespace', 'team']);
    started.pusher = await started.#account('pusher', 'edit');
    started.reader = await started.#account('reader', 'view');
    return started;
  }

  private constructor(cloud: TestCloud, host: string, ballast: number) {
    this.cloud = cloud;
    this.host = host;
    this.dir = mkdtempSync(join(tmpdir(), 'skerry-registry-'));
    this.certificates = join(this.dir, 'certificates');
    mkdirSync(this.certificates);
    copyFileSync(join(cloud.dir, 'cloud', 'pki', 'ca.crt'), join(this.certificates, 'ca.crt'));
    this.layout = namedLayout(this.dir, ballast);
  }

  async #account(name: string, role: string): Promise<string> {
    const { cloud } = this;
    await cloud.kubectl(['create', 'serviceaccount', '--namespace=team', name]);
    const binding = ['create', 'rolebinding', '--namespace=team', name, `--clusterrole=${role}`];
    await cloud.kubectl([...binding, `--serviceaccount=team:${name}`]);
    return (await cloud.kubectl(['create', 'token', '--namespace=team', name])).trim();
  }

  ask(method: string, path: string, { body, headers = {}, token = this.pusher }: Asking = {}): Promise<Answer> {
    const [hostname = '', port = ''] = this.host.split(':');
    const ca = readFileSync(join(this.certificates, 'ca.crt'));
    const all = { ...(token === '' ? {} : { authorization: `Bearer ${token}` }), ...headers };
    return new Promise((resolve, reject) => {
      const asked = request({ hostname, port, ca, method, path, headers: all, agent: false }, (message) => {
        readAll(message).then(
          (text) => resolve({ status: message.statusCode ?? 0, headers: message.headers, text }),
          reject,
        );
      });
      asked.on('error', reject);
      if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) asked.end(body);
      else body.on('error', () => asked.destroy()).pipe(asked);
    });
  }

  /** Copies between whatever skopeo knows; an image of this registry is `TEAM/NAME:TAG`. */
  async push(image: string, name = 'busybox', token = this.pusher): Promise<void> {
    const place = ['--dest-cert-dir', this.certificates, '--dest-creds', `any:${token}`];
    await must('skopeo', [
      '--insecure-policy',
      'copy',
      ...place,
      `oci:${this.layout}:${name}`,
      `docker://${this.host}/${image}`,
    ]);
  }

  /** Into a new OCI layout; gives back the digests of what it holds. */
  async pull(image: string, token = this.reader): Promise<readonly string[]> {
    const to = mkdtempSync(join(this.dir, 'pulled-'));
    const from = ['--src-cert-dir', this.certificates, '--src-creds', `any:${token}`];
    await must('skopeo', ['--insecure-policy', 'copy', ...from, `docker://${this.host}/${image}`, `oci:${to}:x`]);
    return digestsIn(to);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cloud[Symbol.asyncDispose]();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** The digests of manifest, config and layers of the one image in a layout, in this order. */
function digestsIn(layout: string): readonly string[] {
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as { manifests: { digest: string }[] };
  const digest = index.manifests[0]?.digest ?? '';
  const manifest = JSON.parse(readFileSync(join(layout, 'blobs', digest.replace(':', '/')), 'utf8')) as {
    config: { digest: string };
    layers: { digest: string }[];
  };
  return [digest, manifest.config.digest, ...manifest.layers.map((layer) => layer.digest)];
}

export async function must(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { code, stdout, stderr } = await runToEnd(command, args, { env });
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} exited with ${code}: ${stderr}${stdout}`);
  return stdout;
}

export function sha256(content: string | Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

/** skopeo finds an image of a layout by an annotation that containerd does not set. */
function namedLayout(dir: string, ballast: number): string {
  const layout = writeImageLayout(dir, ballast);
  const file = join(layout, 'index.json');
  const index = JSON.parse(readFileSync(file, 'utf8')) as { manifests: { annotations: Record<string, string> }[] };
  for (const { annotations } of index.manifests) {
    const name = annotations['io.containerd.image.name'] ?? '';
    annotations['org.opencontainers.image.ref.name'] = name.replace(/^.*\/|:.*$/g, '');
  }
  writeFileSync(file, JSON.stringify(index));
  return layout;
}

async function readAll(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

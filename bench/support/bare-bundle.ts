/** What Node and the libraries of the agent weigh by themselves: a bundle that imports what the agent's ledger says, and idles. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { ROOT } from '../../scripts/tasks.ts';

/** It listens and dials once, as the agent does, so that what is loaded on first use is loaded. */
const SOURCE = (modules: readonly string[]) => `
  ${modules.map((name) => `require('node:${name}');`).join('')}
  import { DatabaseSync } from 'node:sqlite';
  const http = require('node:http');
  const https = require('node:https');
  const tls = require('node:tls');
  const { WebSocket, WebSocketServer } = require('ws');
  const database = new DatabaseSync(process.argv[2]);
  database.exec('PRAGMA journal_mode = WAL; CREATE TABLE objects (key TEXT PRIMARY KEY, bytes BLOB)');
  const insert = database.prepare('INSERT INTO objects VALUES (?, ?)');
  for (let count = 0; count < 200; count++) insert.run('object-' + count, Buffer.alloc(1000));
  const server = https.createServer({});
  new WebSocketServer({ server });
  server.listen(0, '127.0.0.1', () => {
    const socket = new WebSocket('wss://127.0.0.1:' + server.address().port, { rejectUnauthorized: false });
    socket.on('error', () => process.send('ready'));
  });
  setInterval(() => {}, 1000);
  globalThis.keep = { http, tls, database };
`;

export interface BareBundle extends Disposable {
  readonly pid: number;
}

export async function startBareBundle(): Promise<BareBundle> {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-bench-bare-'));
  const outfile = join(directory, 'bare.cjs');
  await build({
    stdin: { contents: SOURCE(agentModules()), resolveDir: ROOT, loader: 'js' },
    outfile,
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    external: ['bufferutil', 'utf-8-validate'],
    logLevel: 'error',
  });
  const child: ChildProcess = spawn(process.execPath, [outfile, join(directory, 'bare.db')], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await once(child, 'message');
  const dispose = () => {
    child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  };
  return { pid: child.pid ?? 0, [Symbol.dispose]: dispose };
}

/** Node's modules in the agent's bundle, but for the one that only a node with containerd loads. */
function agentModules(): readonly string[] {
  const ledger = readFileSync(join(ROOT, 'dist', 'lib', 'edge.ledger.txt'), 'utf8');
  return [...ledger.matchAll(/^node: (.+)$/gm)].flatMap(([, name = '']) => (name === 'http2' ? [] : [name]));
}

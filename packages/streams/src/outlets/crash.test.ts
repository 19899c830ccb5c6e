/** An outlet whose process is killed: nothing that was on disk is lost, and what is new comes in order. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '@skerry/testkit/processes';
import type { JsonRow } from './http.ts';

const PROGRAM = new URL('./testing/outlet-process.ts', import.meta.url).pathname;

interface Engine extends AsyncDisposable {
  readonly endpoint: string;
  readonly heard: readonly number[];
  /** Requests that have come. */
  requests: number;
  /** It takes everything, and says so. */
  isWell: boolean;
}

/** Takes each third request and does not say so, and none of each fifth. */
async function startEngine(): Promise<Engine> {
  const heard: number[] = [];
  const engine = { heard, requests: 0, isWell: false };
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    engine.requests++;
    if (!engine.isWell && engine.requests % 5 === 0) {
      response.writeHead(503).end();
      return;
    }
    heard.push(...(JSON.parse(text) as JsonRow[]).map(({ value }) => Number(value)));
    if (!engine.isWell && engine.requests % 3 === 0) response.destroy();
    else response.end();
  };
  // What is killed in the middle of a request has not sent it.
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return Object.assign(engine, {
    endpoint: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  });
}

interface Run {
  readonly engine: Engine;
  readonly folder: string;
  /** The first number that it is given; NaN: none. */
  readonly first: number;
  readonly until: () => boolean;
}

/** Runs until then, is killed, and gives the number after the last that was on disk. */
async function runAndKill({ engine, folder, first, until }: Run): Promise<number> {
  const args = ['--conditions=source', PROGRAM, folder, engine.endpoint, String(first)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += String(chunk);
  });
  const ended = once(child, 'close');
  try {
    await eventually('it is heard', until);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
  const whole = said.split('\n').slice(0, -1);
  return Number(whole.at(-1) ?? first);
}

test('killed again and again, an outlet loses nothing that was on disk, whatever the engine answers', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-outlet-'));
  await using engine = await startEngine();
  try {
    let next = 0;
    for (const requests of [2, 3, 1, 4, 2]) {
      const enough = engine.requests + requests;
      next = await runAndKill({ engine, folder, first: next, until: () => engine.requests >= enough });
    }
    assert.ok(next > 10, `${next}`);
    engine.isWell = true;
    const all = () => new Set(engine.heard);
    const isWhole = () => all().isSupersetOf(new Set(Array.from({ length: next }).keys()));
    await runAndKill({ engine, folder, first: Number.NaN, until: isWhole });
    const firsts = [...all()];
    assert.deepEqual(
      firsts,
      firsts.toSorted((a, b) => a - b),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

interface SourceRule {
  readonly name: string;
  readonly pattern: RegExp;
  /** The files that may, because they check themselves. */
  readonly except?: RegExp;
}

const RULES: readonly SourceRule[] = [
  {
    name: 'no peer goes unverified',
    pattern: /rejectUnauthorized\s*[:=](?!\s*true\b)|rejectUnauthorized\s*[,}]/,
    // Four listeners judge each client themselves, before anything it sends. Probes and hooks ask a pod's own program whether it
    // lives and send it no secret: Kubernetes defines that its certificate does not matter.
    except:
      /^packages\/(?:kube\/src\/server\/http[^/]*|security\/src\/identity\/listener|workloads\/src\/(?:registry\/listener|edge\/pod\/http-get)|devices\/src\/edge\/broker\/listener)\.ts$/,
  },
  { name: 'no switch that turns verification off', pattern: /NODE_TLS_REJECT_UNAUTHORIZED/ },
  { name: 'no shell', pattern: /\bshell\s*:\s*(?:true\b|['"]\/)/ },
  {
    name: 'no exec from child_process',
    pattern: /import\s*\{[^}]*\bexec(Sync)?\b[^}]*\}\s*from\s*['"](?:node:)?child_process/,
  },
  { name: 'no exec on child_process', pattern: /\b(?:childProcess|child_process|cp)\.exec(Sync)?\b/ },
  // WebSocket's handshake (RFC 6455) is built on SHA-1 and proves nobody's identity; the language of rules has functions of these names.
  {
    name: 'no weak digest',
    pattern: /create(?:Hash|Hmac)\s*\(\s*['"](?:md5|sha-?1)['"]|['"](?:RSA-)?(?:MD5|SHA-?1)['"]/i,
    except: /\/(?:websocket[^/]*|streams\/src\/sql\/functions\/hashing)\.ts$/,
  },
];

/** The rules that `source` breaks when it stands at `path`. */
function brokenRules(path: string, source: string): string[] {
  return RULES.filter(({ pattern, except }) => !except?.test(path) && pattern.test(source)).map(({ name }) => name);
}

function check(path: string, source: string, expected: readonly string[]): void {
  assert.deepEqual(brokenRules(path, source), expected);
}

const CLIENT = 'packages/edge/src/client.ts';

test('the scan finds what it is for', () => {
  check(CLIENT, 'connect({ rejectUnauthorized: false })', ['no peer goes unverified']);
  check(CLIENT, 'const rejectUnauthorized = options.strict;', ['no peer goes unverified']);
  check(CLIENT, 'connect({ rejectUnauthorized: true })', []);
  check('packages/kube/src/server/http-listener.ts', 'createServer({ rejectUnauthorized: false })', []);
  check(CLIENT, "spawn('x', [], { shell: true })", ['no shell']);
  check(CLIENT, "import { exec } from 'node:child_process';", ['no exec from child_process']);
  check(CLIENT, "import { execFile, spawn } from 'node:child_process';", []);
  check(CLIENT, "createHash('md5')", ['no weak digest']);
  check(CLIENT, "process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'", ['no switch that turns verification off']);
});

test('no source of ours verifies nobody, starts a shell, or trusts a weak digest', () => {
  const root = fileURLToPath(new URL('../../../..', import.meta.url));
  const self = fileURLToPath(import.meta.url);
  const files = globSync('packages/*/src/**/*.ts', { cwd: root }).map((file) => `${root}${file}`);
  assert.ok(files.length > 50, 'the scan found the sources');
  const broken = files
    .filter((file) => file !== self)
    .flatMap((file) => {
      const path = relative(root, file);
      return brokenRules(path, readFileSync(file, 'utf8')).map((name) => `${path}: ${name}`);
    });
  assert.deepEqual(broken, []);
});

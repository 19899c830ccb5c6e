/** The API server as `skerry cloud` runs it, alone in a process: TLS, certificates, RBAC, audit, a store that syncs. For `bench/api-*.ts`. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AuditLog } from '@skerry/api';
import { jsonLogger, systemClock } from '@skerry/base';
import { createApiServer, listenHttps } from '@skerry/kube/server';
import { openStore } from '@skerry/kube/store';
import { credentialToPem, openPki } from '@skerry/security/pki';
import {
  createAuthenticator,
  createPolicyCache,
  createRbacAuthorizer,
  mastersAuthorizer,
  unionAuthorizer,
} from '@skerry/security/policy';

const directory = process.argv[2] ?? '';
const clock = systemClock;
const log = jsonLogger({ write: (line) => process.stderr.write(line), now: () => clock.now(), level: 'warn' });
const store = openStore({ file: join(directory, 'bench.db'), clock, log });
const pki = openPki(directory, { clock, names: ['localhost'] });
const authorizer = unionAuthorizer(mastersAuthorizer, createRbacAuthorizer(createPolicyCache()));
const server = createApiServer({ store, clock, log, authorizer, audit: openAudit() });
const serving = credentialToPem(pki.serving);
const listener = await listenHttps({
  server,
  authenticator: createAuthenticator({ authority: pki.authority.certificate, clock }),
  log,
  host: '127.0.0.1',
  port: 0,
  tls: { cert: serving.cert, key: serving.key, ca: pki.caPem },
});
const admin = credentialToPem(pki.admin);
process.send?.({ port: listener.port, ca: pki.caPem, cert: admin.cert, key: admin.key });
process.on('message', (message) => {
  if (message === 'memory') process.send?.({ memory: process.memoryUsage() });
});
process.on('disconnect', () => process.exit(0));

/** Lines collected and appended once a turn. */
function openAudit(): AuditLog {
  const file = join(directory, 'audit.log');
  let lines: string[] = [];
  return {
    append: (event) => {
      if (lines.length === 0) {
        setImmediate(() => {
          appendFileSync(file, lines.join(''));
          lines = [];
        });
      }
      lines.push(`${JSON.stringify(event)}\n`);
    },
  };
}

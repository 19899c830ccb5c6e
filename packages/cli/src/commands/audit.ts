/** `skerry audit verify`: walks the chain of the audit log, with the cloud running or not. */
import { createPublicKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { keyVerifier, verifyAuditLog } from '@skerry/security/audit';
import { type CliContext, cliErrors } from '../context.ts';
import { formatJson } from '../output.ts';

export interface AuditFlags {
  readonly dataDir: string;
  readonly output?: 'json';
}

export async function verifyAudit(context: CliContext, { dataDir, output }: AuditFlags): Promise<void> {
  const directory = join(dataDir, 'cloud', 'audit');
  const authority = join(dataDir, 'cloud', 'pki', 'ca.crt');
  if (!existsSync(authority)) throw cliErrors.NO_CLOUD({ place: dataDir });
  const verdict = await verifyAuditLog(directory, keyVerifier(createPublicKey(readFileSync(authority))));
  if (output === 'json') context.print(formatJson(verdict));
  if (!verdict.ok) {
    const { file, line, problem } = verdict;
    throw cliErrors.AUDIT_ALTERED({ directory, file, line, problem });
  }
  if (output === 'json') return;
  const { lines, unanchored } = verdict;
  const tail = unanchored === 0 ? '' : `, the last ${unanchored} not yet under a signed head`;
  context.print(`The audit log in ${directory} is whole: ${lines} lines${tail}.\n`);
}

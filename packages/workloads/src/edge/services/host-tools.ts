/** The host's own programs for packets and addresses, run with argument arrays, never a shell; each only so long. */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

const FOLDERS = ['/usr/sbin', '/sbin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/local/bin'];
const TIMEOUT_MS = 20_000;
const MAX_OUTPUT_BYTES = 1024 * 1024;

export type HostTool = 'nft' | 'ip' | 'conntrack';

/** The Debian package that brings it. */
export const PACKAGE_OF: Readonly<Record<HostTool, string>> = {
  nft: 'nftables',
  ip: 'iproute2',
  conntrack: 'conntrack',
};

/** Looked for anew each time: a tool may be installed while the agent runs. */
export function findTool(tool: HostTool): string | undefined {
  return FOLDERS.map((folder) => join(folder, tool)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export type RunTool = (tool: HostTool, args: readonly string[], input?: string) => Promise<string>;

/** What it printed; rejects with what it complained of. */
export function runTool(tool: HostTool, args: readonly string[], input = ''): Promise<string> {
  const file = findTool(tool);
  if (file === undefined) return Promise.reject(new Error(`${tool} is missing: apt-get install ${PACKAGE_OF[tool]}`));
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const options = { timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES, env: { LC_ALL: 'C' } };
  const child = execFile(file, args, options, (error, stdout, stderr) => {
    if (error === null) resolve(stdout);
    else reject(new Error(`${tool}: ${firstLine(stderr) || error.message}`));
  });
  // A tool that ends before it has read all says why with its exit code.
  child.stdin?.on('error', () => {});
  child.stdin?.end(input);
  return promise;
}

function firstLine(text: string): string {
  return text.split('\n')[0]?.trim() ?? '';
}

/** What /version says. Clients compare `minor` with their own. */

export interface ServerVersion {
  readonly major: string;
  readonly minor: string;
  readonly gitVersion: string;
  readonly gitCommit: string;
  readonly gitTreeState: string;
  readonly buildDate: string;
  readonly goVersion: string;
  readonly compiler: string;
  readonly platform: string;
}

export const SERVER_VERSION: ServerVersion = {
  major: '1',
  minor: '36',
  gitVersion: 'v1.36.0+skerry',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: `node ${process.version}`,
  compiler: 'v8',
  platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
};

/** What a node's agent calls itself in `nodeInfo`: tools compare it with the server's version. */
export function kubeletVersion(agent: string): string {
  return `${SERVER_VERSION.gitVersion}-${agent}`;
}

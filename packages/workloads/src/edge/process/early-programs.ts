/**
 * What runs as the agent's root within a sandbox before its privileges are dropped: setpriv, the makers of a terminal, and whatever
 * these load, read or believe. A volume of a pod must be nowhere on the way to it, or the pod's own code would run as root.
 */
import { dirname } from 'node:path';
import { DEFAULT_PATH } from './command.ts';

/** Also those libraries that are looked for only when a name is asked for. */
const LIBRARIES = [
  '/lib',
  '/lib32',
  '/lib64',
  '/usr/lib',
  '/usr/lib32',
  '/usr/lib64',
  '/usr/libexec',
  '/usr/local/lib',
];
const SETTINGS = ['ld.so.preload', 'ld.so.cache', 'nsswitch.conf', 'passwd', 'group', 'ssl/openssl.cnf'];
/** A terminal is made by way of Node and this program, which hand the command over in shared memory. */
const TERMINAL_MAKERS = [
  dirname(process.execPath),
  import.meta.dirname,
  '/dev/shm',
  '/usr/local/ssl',
  '/usr/share/nodejs',
];

export const EARLY_PLACES: readonly string[] = [
  ...DEFAULT_PATH.split(':'),
  ...LIBRARIES,
  ...SETTINGS.map((file) => `/etc/${file}`),
  ...TERMINAL_MAKERS,
  '/run/nscd',
  '/proc',
];

/** What the OPC UA library says to people, in our log: most of it is about clients that do what they may not. */
import type { Logger } from '@skerry/base';
import { setErrorLogger, setWarningLogger } from 'node-opcua-debug';

/** A stranger decides how much of this there is. */
const MAX_TEXT = 500;

/** For the whole process. */
export function logOfLibrary(log: Logger): void {
  // The first part says which file of the library it was.
  const say = (_place: unknown, ...parts: readonly unknown[]) =>
    log.debug({ said: parts.map(String).join(' ').slice(0, MAX_TEXT) }, 'OPC UA library');
  setErrorLogger(say);
  setWarningLogger(say);
}

/** Who may come to a broker, and what they may do there. */
import { isWithin, TopicTrie } from '../../mqtt/topics.ts';
import { createPasswords } from '../logins/passwords.ts';
import type { BrokerUser } from './config.ts';

/** What one client may do. */
export interface Grant {
  readonly user: string;
  mayPublish(topic: string): boolean;
  maySubscribe(filter: string): boolean;
  mayReceive(topic: string): boolean;
}

export interface Access {
  /** By the name in the client's certificate. */
  byCertificate(name: string, client: string): Grant | undefined;
  byPassword(name: string, password: Uint8Array, client: string): Promise<Grant | undefined>;
  anonymous(client: string): Grant | undefined;
  isUser(name: string): boolean;
  /** The same text as long as the user may do the same things in the same way. */
  fingerprint(name: string): string;
}

const ANONYMOUS = 'anonymous';
const EVERYTHING: BrokerUser = { name: ANONYMOUS, publish: ['#'], subscribe: ['#'] };

export function createAccess(users: readonly BrokerUser[], isAnonymousAllowed: boolean): Access {
  const byName = new Map(users.map((user) => [user.name, user]));
  const passwords = createPasswords(
    new Map(users.flatMap(({ name, password }) => (password === undefined ? [] : [[name, password]]))),
  );
  return {
    byCertificate: (name, client) => grantOf(byName.get(name), client),
    byPassword: async (name, password, client) => {
      const isRight = await passwords.isRight(name, password);
      return isRight ? grantOf(byName.get(name), client) : undefined;
    },
    anonymous: (client) => (isAnonymousAllowed ? grantOf(byName.get(ANONYMOUS) ?? EVERYTHING, client) : undefined),
    isUser: (name) => byName.has(name) || (name === ANONYMOUS && isAnonymousAllowed),
    fingerprint: (name) => JSON.stringify([byName.get(name), name === ANONYMOUS && isAnonymousAllowed]),
  };
}

function grantOf(user: BrokerUser | undefined, client: string): Grant | undefined {
  if (user === undefined) return undefined;
  const names = { '%u': user.name, '%c': client };
  const publish = user.publish.flatMap((filter) => filled(filter, names));
  const subscribe = user.subscribe.flatMap((filter) => filled(filter, names));
  return {
    user: user.name,
    mayPublish: remembered((topic) => !topic.startsWith('$'), publish),
    maySubscribe: (filter) => subscribe.some((each) => isWithin(filter, each)),
    mayReceive: remembered(() => true, subscribe),
  };
}

/** Nothing where the name would be read as more than one level: it must not widen what is granted. */
function filled(filter: string, names: { readonly '%u': string; readonly '%c': string }): readonly string[] {
  const used = Object.entries(names).filter(([mark]) => filter.includes(mark));
  if (used.some(([, name]) => name === '' || /[+#/]/.test(name))) return [];
  return [used.reduce((text, [mark, name]) => text.replaceAll(mark, () => name), filter)];
}

/** So many topics of a client are decided once. */
const MAX_REMEMBERED = 1024;

function remembered(isOpen: (topic: string) => boolean, filters: readonly string[]): (topic: string) => boolean {
  const trie = new TopicTrie<true>();
  for (const filter of filters) trie.add(filter, true);
  const known = new Map<string, boolean>();
  return (topic) => {
    const before = known.get(topic);
    if (before !== undefined) return before;
    const decided = isOpen(topic) && trie.match(topic).length > 0;
    if (known.size >= MAX_REMEMBERED) known.clear();
    known.set(topic, decided);
    return decided;
  };
}

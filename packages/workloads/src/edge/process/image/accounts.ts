/** The user an image runs as: numbers, or names of its own /etc/passwd and /etc/group. Pure. */

export interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly home: string;
}

interface PasswdLine {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupLine {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** `user` as in an image's config: `name`, `uid`, `name:group`, `uid:gid`; empty is root. Undefined for names that nobody has. */
export function accountOf(user: string, passwd: string, group: string): Account | undefined {
  const [userPart = '', groupPart] = user.split(':');
  const [people, groups] = [parsePasswd(passwd), parseGroup(group)];
  const person = findPerson(userPart === '' ? '0' : userPart, people);
  if (person === undefined) return undefined;
  const home = person.home === '' ? '/' : person.home;
  if (groupPart === undefined || groupPart === '') {
    const further = groups.filter(({ gid, members }) => members.includes(person.name) && gid !== person.gid);
    return { uid: person.uid, gid: person.gid, groups: further.map(({ gid }) => gid), home };
  }
  const gid = idOf(groupPart) ?? groups.find(({ name }) => name === groupPart)?.gid;
  return gid === undefined ? undefined : { uid: person.uid, gid, groups: [], home };
}

/** Whether the image says a number, which can be judged without looking into the image. */
export function isNumericUser(user: string): boolean {
  return idOf(user.split(':')[0] ?? '') !== undefined;
}

function findPerson(user: string, people: readonly PasswdLine[]): PasswdLine | undefined {
  const named = people.find(({ name }) => name === user);
  if (named !== undefined) return named;
  const uid = idOf(user);
  if (uid === undefined) return undefined;
  return people.find((person) => person.uid === uid) ?? { name: '', uid, gid: 0, home: '' };
}

function parsePasswd(text: string): readonly PasswdLine[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , uid = '', gid = '', , home = ''] = line.split(':');
    const ids = [idOf(uid), idOf(gid)];
    return name === '' || ids[0] === undefined || ids[1] === undefined
      ? []
      : [{ name, uid: ids[0], gid: ids[1], home }];
  });
}

function parseGroup(text: string): readonly GroupLine[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , id = '', members = ''] = line.split(':');
    const gid = idOf(id);
    return name === '' || gid === undefined ? [] : [{ name, gid, members: members.split(',').filter(Boolean) }];
  });
}

/** What the kernel takes; the highest number means nobody at all to it. */
function idOf(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) < 0xffff_ffff ? Number(text) : undefined;
}

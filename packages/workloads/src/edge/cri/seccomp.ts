/** Profiles of seccomp and AppArmor as CRI names them. Pure. */
import { isAbsolute, join } from 'node:path';
import { RuntimeRefusal } from '../runtime.ts';
import { Profile } from './schema.ts';

interface NamedProfile {
  readonly type?: string;
  readonly localhostProfile?: string;
}

/** Without a word of the pod nothing is confined, as on any node without a default profile. */
export function profileOf(profile: NamedProfile | undefined): { type: number; localhostRef?: string } {
  switch (profile?.type) {
    case undefined:
    case 'Unconfined':
      return { type: Profile.unconfined };
    case 'RuntimeDefault':
      return { type: Profile.runtimeDefault };
    case 'Localhost':
      return { type: Profile.localhost, localhostRef: profile.localhostProfile ?? '' };
    default:
      throw new RuntimeRefusal('CreateContainerConfigError', `unknown profile type ${profile?.type}`);
  }
}

/** A profile of seccomp is a file below `folder`; the runtime wants its full name. */
export function seccompOf(profile: NamedProfile | undefined, folder: string): { type: number; localhostRef?: string } {
  if (profile?.type !== 'Localhost') return profileOf(profile);
  const { localhostProfile: file = '' } = profile;
  if (file === '' || isAbsolute(file) || file.split('/').includes('..'))
    throw new RuntimeRefusal('CreateContainerConfigError', `seccomp profile ${file} is no path below ${folder}`);
  return profileOf({ ...profile, localhostProfile: join(folder, file) });
}

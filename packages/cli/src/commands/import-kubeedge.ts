/** `skerry import kubeedge FILE`: prints what its devices are here, or applies it; what is left out is said by name. */
import { stringify } from 'yaml';
import { applyObjects } from '../apply-objects.ts';
import { type ConnectionFlags, connect } from '../connection.ts';
import type { CliContext } from '../context.ts';
import { convertKubeEdge } from '../kubeedge/convert.ts';
import { objectsIn, readManifests } from '../manifest-files.ts';

export interface KubeEdgeFlags extends ConnectionFlags {
  readonly apply?: boolean;
}

export async function importKubeEdge(
  context: CliContext,
  files: readonly string[],
  flags: KubeEdgeFlags,
): Promise<void> {
  const { objects, left } = convertKubeEdge(readManifests(files).flatMap(objectsIn));
  for (const each of left) context.say(`skerry: not carried over: ${each}\n`);
  const count = (kind: string) => objects.filter((each) => each.kind === kind).length;
  context.say(
    `skerry: ${count('DeviceModel')} DeviceModels and ${count('Device')} Devices; ${left.length} things have no place here\n`,
  );
  if (flags.apply !== true) {
    context.print(objects.map((object) => stringify(object)).join('---\n'));
    return;
  }
  using client = await connect(context, flags);
  // Models before what is of them.
  const ordered = objects.toSorted((one, other) => Number(one.kind === 'Device') - Number(other.kind === 'Device'));
  for (const name of await applyObjects(client, ordered)) context.print(`${name} applied\n`);
}

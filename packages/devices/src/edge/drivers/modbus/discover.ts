/** Which units answer, and what they say of themselves. */
import * as requests from '../../../modbus/requests.ts';
import type { DiscoveryRequest, FoundDevice } from '../../driver.ts';
import { driverErrorOf, isDriverError } from '../../driver-error.ts';
import type { Conversation } from './conversation.ts';
import type { ModbusOptions } from './options.ts';

interface DiscoveryContext {
  readonly conversation: Conversation;
  readonly options: ModbusOptions;
  readonly signal: AbortSignal;
}

/** A device whose objects go on and on is cut off here. */
const MAX_IDENTIFICATION_REQUESTS = 8;
const VENDOR = 0;
const PRODUCT = 1;

export async function* discoverUnits(
  { settings, scan, limit }: DiscoveryRequest,
  context: DiscoveryContext,
): AsyncIterable<FoundDevice> {
  const [first, last] = [Number(scan['firstUnit'] ?? 1), Number(scan['lastUnit'] ?? 247)];
  let found = 0;
  for (let unit = first; unit <= last && found < limit && !context.signal.aborted; unit++) {
    const identity = await identityOf(unit, context);
    if (identity === undefined) continue;
    found++;
    const { endpoint, options } = settings;
    yield {
      fingerprint: `${endpoint}#${unit}`,
      name: `modbus-${identity.get(PRODUCT) ?? 'unit'}-${unit}`,
      endpoint,
      options: { ...options, unit },
      ...(identity.size === 0 ? {} : { description: describe(identity) }),
    };
  }
}

function describe(identity: ReadonlyMap<number, string>): string {
  return [VENDOR, PRODUCT, 2].flatMap((object) => identity.get(object) ?? []).join(' ');
}

/** Undefined when nobody answers to the number; empty when whoever does says nothing of itself. */
async function identityOf(
  unit: number,
  { conversation, signal }: DiscoveryContext,
): Promise<ReadonlyMap<number, string> | undefined> {
  return conversation.run(signal, async (owner) => {
    const said = await answerOf(identify(conversation, owner, unit));
    if (said !== 'nothing') return said ?? new Map();
    // Old devices are silent about what they do not know, but not about their registers.
    const register = await answerOf(conversation.ask(owner, unit, requests.read(3, 0, 1)));
    return register === 'nothing' ? undefined : new Map();
  });
}

async function identify(conversation: Conversation, owner: object, unit: number): Promise<ReadonlyMap<number, string>> {
  const texts = new Map<number, string>();
  let object: number | undefined = 0;
  for (let turn = 0; object !== undefined && turn < MAX_IDENTIFICATION_REQUESTS; turn++) {
    const { objects, next }: requests.Identification = await conversation.ask(
      owner,
      unit,
      requests.identify(1, object),
    );
    for (const [id, bytes] of objects) texts.set(id, new TextDecoder().decode(bytes));
    object = next;
  }
  return texts;
}

/** `nothing` when nobody is there; undefined when somebody is, who refused. The end of the line is thrown. */
async function answerOf<Result>(asking: Promise<Result>): Promise<Result | 'nothing' | undefined> {
  try {
    return await asking;
  } catch (thrown) {
    const error = driverErrorOf(thrown);
    if (isDriverError(error, 'Unsupported', 'NotFound', 'Rejected', 'Busy')) return undefined;
    if (isDriverError(error, 'TimedOut', 'Malformed')) return 'nothing';
    throw error;
  }
}

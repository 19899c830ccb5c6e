/** One Device on its bus. */
import * as requests from '../../../modbus/requests.ts';
import type { RawValue } from '../../../values/encoding.ts';
import type { CallRequest, Point, PointWrite, ReadGroup, Session } from '../../driver.ts';
import { DriverError, driverErrorOf } from '../../driver-error.ts';
import type { Share } from '../../transport/shared.ts';
import type { Bus } from './bus.ts';
import { commandRequest, commandResult } from './commands.ts';
import type { Conversation } from './conversation.ts';
import type { ModbusOptions } from './options.ts';
import { ModbusReadGroup } from './read-group.ts';
import { type MaskStep, planWrite } from './writes.ts';

export class ModbusSession implements Session {
  readonly wantsBytes = true;
  readonly ended: Promise<DriverError | undefined>;
  readonly #share: Share<Bus>;
  readonly #conversation: Conversation;
  readonly #options: ModbusOptions;
  readonly #closing = Promise.withResolvers<undefined>();

  constructor(share: Share<Bus>, conversation: Conversation, options: ModbusOptions) {
    this.#share = share;
    this.#conversation = conversation;
    this.#options = options;
    this.ended = Promise.race([this.#closing.promise, share.thing.ended]);
  }

  group(points: readonly Point[]): ReadGroup {
    const { unit, limits, pipeline, connections } = this.#options;
    return new ModbusReadGroup(points, {
      conversation: this.#conversation,
      unit,
      limits,
      lanes: pipeline * connections,
    });
  }

  /** One after another: what is written first is in the device first. */
  write(writes: readonly PointWrite[], signal: AbortSignal): Promise<readonly (DriverError | undefined)[]> {
    return this.#conversation.run(signal, async (owner) => {
      const outcomes: (DriverError | undefined)[] = [];
      for (const write of writes) outcomes.push(await this.#writeOne(owner, write));
      return outcomes;
    });
  }

  call(request: CallRequest, signal: AbortSignal): Promise<Readonly<Record<string, RawValue>>> {
    return this.#conversation.run(signal, async (owner) => {
      const unit = Number(request.address['unit'] ?? this.#options.unit);
      const answer = await this.#conversation.ask(owner, unit, commandRequest(request));
      return commandResult(request, answer);
    });
  }

  close(): Promise<void> {
    this.#closing.resolve(undefined);
    this.#conversation.close(new DriverError('Closed', 'the session was closed'));
    this.#share.release();
    return Promise.resolve();
  }

  async #writeOne(owner: object, write: PointWrite): Promise<DriverError | undefined> {
    try {
      const plan = planWrite(write, this.#options);
      if (plan.kind === 'write')
        for (const { unit, request } of plan.steps) await this.#conversation.ask(owner, unit, request);
      else for (const step of plan.steps) await this.#writeBits(owner, step);
      return undefined;
    } catch (error) {
      return driverErrorOf(error);
    }
  }

  async #writeBits(owner: object, { unit, address, mask, bits }: MaskStep): Promise<void> {
    const kept = ~mask & 0xffff;
    if (this.#options.hasMaskWrite) {
      await this.#conversation.ask(owner, unit, requests.maskWrite(address, kept, bits));
      return;
    }
    const [high = 0, low = 0] = await this.#conversation.ask(owner, unit, requests.read(3, address, 1));
    const value = (((high << 8) | low) & kept) | bits;
    await this.#conversation.ask(owner, unit, requests.writeRegister(address, Uint8Array.of(value >> 8, value)));
  }
}

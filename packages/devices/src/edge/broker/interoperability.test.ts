/** What MQTT 3.1.1 demands of a broker, asked of mosquitto and of ours by one table. */
import { after, before, describe, test } from 'node:test';
import { skipWithout } from '@skerry/testkit/processes';
import { DEMANDS } from './testing/demands.ts';
import { openMosquitto } from './testing/mosquitto.ts';
import { scratchBroker } from './testing/scratch-broker.ts';

type Opened = { readonly port: number } & AsyncDisposable;

function ask(name: string, skip: string | false, open: () => Promise<Opened>): void {
  describe(name, { skip }, () => {
    let broker: Opened;
    before(async () => {
      broker = await open();
    });
    after(() => broker[Symbol.asyncDispose]());
    for (const { demand, keep } of DEMANDS) test(demand, () => keep(broker.port));
  });
}

ask('the site’s broker', false, () => scratchBroker());
ask('mosquitto', skipWithout('mosquitto'), () => openMosquitto());

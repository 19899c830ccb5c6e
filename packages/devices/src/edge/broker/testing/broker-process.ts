/** For tests: a broker in a process of its own, to be killed. Its file is the first argument; its port is its first line. */

import { silentLogger, systemClock } from '@skerry/base';
import { openSiteBroker } from '../site-broker.ts';
import { brokerConfig, portOf } from './scratch-broker.ts';

const broker = await openSiteBroker({
  config: brokerConfig(),
  file: process.argv[2] ?? '',
  clock: systemClock,
  log: silentLogger,
});
process.stdout.write(`${portOf(broker)}\n`);

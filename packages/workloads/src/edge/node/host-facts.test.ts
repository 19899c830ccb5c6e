import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHostAddresses } from './host-facts.ts';

test('the addresses of the host are asked for at most once a second', () => {
  let now = 0;
  let asked = 0;
  const addresses = createHostAddresses({ monotonic: () => now }, () => [`10.0.0.${++asked}`]);
  const seen = [0, 999, 1000, 1500, 2500].map((at) => {
    now = at;
    return addresses()[0];
  });
  assert.deepEqual(seen, ['10.0.0.1', '10.0.0.1', '10.0.0.2', '10.0.0.2', '10.0.0.3']);
});

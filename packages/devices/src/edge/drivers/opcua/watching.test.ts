import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import type { ClientSubscription } from 'node-opcua-client';
import { countLost } from './watching.ts';

/** A number is a message with values, a negative one a keep-alive, `anew` a subscription that was made again. */
function check(messages: readonly (number | 'anew')[], expected: number): void {
  const subscription = new EventEmitter();
  let lost = 0;
  countLost(subscription as ClientSubscription, {
    lost: (count) => {
      lost += count;
    },
  });
  for (const message of messages) {
    if (message === 'anew') subscription.emit('subscriptionId_changed');
    else
      subscription.emit('raw_notification', {
        sequenceNumber: Math.abs(message),
        notificationData: message < 0 ? [] : [{}],
      });
  }
  assert.equal(lost, expected);
}

test('messages without a gap have lost nothing, whatever number they begin with', () => check([7, 8, 9], 0));

test('a keep-alive has the number of the message that comes next', () => check([1, -2, -2, 2, 3], 0));

test('what is missing between two numbers is counted, also where a keep-alive shows it', () => {
  check([1, 4, 5, 6, 7], 2);
  check([1, -3, 3, 4, 5], 1);
  check([1, 5000], 4998);
});

test('what comes late, asked for again, is no loss', () => {
  check([1, 3, 2, 4, 5, 6, 7], 0);
  check([1, -4, 2, 3, 4, 5, 6, 7], 0);
  check([1, 4, 3, 5, 6, 7, 8], 1);
});

test('what was still awaited when a subscription is made anew is lost', () => check([1, 3, 'anew', 1, 2], 2));

test('what is sent again is no loss', () => check([1, 2, 3, 2, 3, 4], 0));

test('after the last number comes 1', () => check([0xffff_ffff, 1, 2], 0));

test('a subscription that was made anew has lost something, and counts from its own beginning', () =>
  check([5, 6, 'anew', 1, 2], 1));

/** Functions about the row, the rule and its windows, and those of no other family. */
import { randomUUID } from 'node:crypto';
import { ANY, BIGINT, BOOLEAN, type DataType, STRING, unify } from '../data-type.ts';
import type { EvalContext, Value } from '../value.ts';
import { isNull } from '../values.ts';
import { any, literal, nullable, optional, rest, string } from './parameters.ts';
import { returning, type ScalarFunction, type SpecialFunction, scalar } from './specification.ts';

/** Something that the context knows. */
function known(
  name: string,
  summary: string,
  read: (context: EvalContext) => Value,
  returns: DataType = BIGINT,
): ScalarFunction {
  return scalar('other', name, [], returns, summary, read);
}

export const OTHERS: readonly ScalarFunction[] = [
  scalar(
    'other',
    'coalesce',
    [rest(nullable(any('value')))],
    (types) => types.reduce(unify, types[0] ?? ANY),
    'The first argument that is not NULL.',
    (values) => values.find((value) => !isNull(value)),
  ),
  known('event_time', 'The time of the row, in milliseconds since 1970.', ({ eventTime }) => eventTime),
  scalar(
    'other',
    'get_keyed_state',
    [string('key'), literal(string('type')), optional(any('default'))],
    ANY,
    'What is kept under the key, or the default.',
    (key, _, otherwise, { keyedState }) => {
      const value = keyedState(key);
      return isNull(value) ? otherwise : value;
    },
  ),
  scalar('other', 'isnull', [nullable(any('value'))], BOOLEAN, 'Whether the value is NULL.', (value) => isNull(value)),
  known(
    'last_agg_hit_count',
    'How many groups have passed HAVING, or were given out, before.',
    ({ hits }) => hits.count,
  ),
  known('last_agg_hit_time', 'The event time of the last group that did, 0 before the first.', ({ hits }) => hits.time),
  known(
    'last_hit_count',
    'How many rows have passed the condition that asks, or were given out, before.',
    ({ hits }) => hits.count,
  ),
  known('last_hit_time', 'The event time of the last row that did, 0 before the first.', ({ hits }) => hits.time),
  known('newuuid', 'A new random UUID.', () => randomUUID(), STRING),
  known(
    'row_number',
    'The number of the row among those that are given out at once, from 1.',
    ({ rowNumber }) => rowNumber,
  ),
  known('rule_id', 'The name of the rule.', ({ ruleId }) => ruleId, STRING),
  known(
    'rule_start',
    'Since when the rule runs at its node, in milliseconds since 1970.',
    ({ ruleStart }) => ruleStart,
  ),
  known('tstamp', 'The present time, in milliseconds since 1970.', ({ now }) => Math.floor(now())),
  known(
    'window_end',
    'The end of the window, in milliseconds since 1970; 0 without a window of time.',
    ({ windowEnd }) => windowEnd,
  ),
  known(
    'window_start',
    'The beginning of the window, in milliseconds since 1970; 0 without a window of time.',
    ({ windowStart }) => windowStart,
  ),
  known(
    'window_trigger',
    'When the window was asked for, in milliseconds since 1970: in a sliding window with a delay the time of the row that did, else its end; 0 without a window of time.',
    ({ windowTrigger }) => windowTrigger,
  ),
];

/** Their arguments are no expressions but names. */
export const SPECIALS: readonly SpecialFunction[] = [
  {
    kind: 'special',
    family: 'other',
    name: 'meta',
    parameters: [any('key')],
    returns: returning(ANY),
    summary: 'What travelled beside the row under that key, as in meta(topic), meta(stream.topic) or meta(a.b).',
  },
  {
    kind: 'special',
    family: 'other',
    name: 'mqtt',
    parameters: [any('key')],
    returns: returning(ANY),
    summary: 'The same as meta, for rows that came by MQTT: mqtt(topic), mqtt(messageid).',
  },
  {
    kind: 'special',
    family: 'rows',
    name: 'unnest',
    parameters: [any('array')],
    returns: returning(ANY),
    summary:
      'A row for each element of the array; the fields of a struct become columns. Only as a column of SELECT, once.',
  },
];

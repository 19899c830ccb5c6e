/** What eKuiper's documentation shows of aggregates, of functions that remember, and of columns, each once, in a factory's words. */
import { checkAll, type Examples, each, type Given } from './testing/examples.ts';

const AGGREGATES: Examples = {
  'what a window collects is an array, whose elements have fields': {
    sql: 'SELECT collect(v) AS all, collect(*)[1]->id AS second FROM oven GROUP BY TUMBLINGWINDOW(ss, 10)',
    given: [
      [1, { id: 'a', v: 3 }],
      [2, { id: 'b', v: 5 }],
    ],
    gives: [{ all: [3, 5], second: 'b' }],
  },
  'structs are merged, the last of each key stays': {
    sql: 'SELECT merge_agg(set) AS now FROM oven GROUP BY COUNTWINDOW(3)',
    given: each('set', { door: 'open', fan: 1 }, { fan: 3 }, { lamp: true }),
    gives: [{ now: { door: 'open', fan: 3, lamp: true } }],
  },
  'the last row of an hour that is like none before it': {
    sql: 'SELECT deduplicate(code, false)->code AS fresh FROM oven GROUP BY SLIDINGWINDOW(hh, 1)',
    given: each('code', 7, 7, 8, 7),
    gives: [{ fresh: 7 }, {}, { fresh: 8 }, {}],
  },
  'distinct values are counted exactly': {
    sql: 'SELECT array_cardinality(array_distinct(collect(code))) AS kinds, percentile(code, 0.5) AS middle FROM oven GROUP BY COUNTWINDOW(4)',
    given: each('code', 7, 7, 8, 9),
    gives: [{ kinds: 3, middle: 7.5 }],
  },
  'a group is of the time of its first row': {
    sql: 'SELECT count(*) AS n, event_time() AS t FROM oven GROUP BY TUMBLINGWINDOW(ss, 10)',
    given: each('v', 1, 2),
    gives: [{ n: 2, t: 1000 }],
  },
  'the first two windows that are hot enough': {
    sql: 'SELECT max(v) AS top FROM oven GROUP BY COUNTWINDOW(1) HAVING max(v) > 5 AND last_agg_hit_count() < 2',
    given: each('v', 4, 6, 5, 7, 8),
    gives: [{ top: 6 }, { top: 7 }],
  },
};

const STATUS: readonly Given[] = [
  [10, { id: 'a', status: 'idle', v: 20 }],
  [11, { id: 'b', status: 'hot', v: 90 }],
  [14, { id: 'a', status: 'idle', v: 20 }],
  [19, { id: 'a', status: 'hot', v: 85 }],
  [21, { id: 'b', status: 'hot', v: 95 }],
  [30, { id: 'a', status: 'idle', v: 40 }],
];

const ANALYTIC: Examples = {
  'lag gives the value before, of the same oven': {
    sql: 'SELECT id, v - lag(v, 1, v) OVER (PARTITION BY id) AS step FROM oven',
    given: STATUS,
    gives: [
      { id: 'a', step: 0 },
      { id: 'b', step: 0 },
      { id: 'a', step: 0 },
      { id: 'a', step: 65 },
      { id: 'b', step: 5 },
      { id: 'a', step: -45 },
    ],
  },
  'how long a status has lasted when it changes': {
    sql: `SELECT id, lag(status) OVER (PARTITION BY id) AS before, ts - lag(ts, 1, ts, true) OVER (PARTITION BY id WHEN had_changed(true, status)) AS lasted
      FROM oven WHERE had_changed(true, status) OVER (PARTITION BY id)`,
    given: STATUS.filter(([, { id }]) => id === 'a'),
    gives: [
      { id: 'a', lasted: 0 },
      { id: 'a', before: 'idle', lasted: 9000 },
      { id: 'a', before: 'hot', lasted: 11_000 },
    ],
  },
  'latest keeps a value while there is none': {
    sql: 'SELECT latest(v, -1) AS known FROM oven',
    given: each('v', null, 4, null, 6),
    gives: [{ known: -1 }, { known: 4 }, { known: 4 }, { known: 6 }],
  },
  'only columns that changed': {
    sql: 'SELECT id, changed_cols("new_", true, status, v) FROM oven',
    given: STATUS.filter(([, { id }]) => id === 'a'),
    gives: [
      { id: 'a', new_status: 'idle', new_v: 20 },
      { id: 'a' },
      { id: 'a', new_status: 'hot', new_v: 85 },
      { id: 'a', new_status: 'idle', new_v: 40 },
    ],
  },
  'all columns, NULL being a change': {
    sql: 'SELECT changed_cols("", false, *) FROM oven',
    given: [
      [1, { v: 1, w: 2 }],
      [2, { v: null, w: 2 }],
    ],
    gives: [
      { ts: 1000, v: 1, w: 2 },
      { ts: 2000, v: null },
    ],
  },
  'an average, when it is another than that of the window before': {
    sql: 'SELECT changed_cols("t_", true, avg(v)) FROM oven GROUP BY COUNTWINDOW(2)',
    given: each('v', 20, 20, 20, 20, 24, 26),
    gives: [{ t_avg: 20 }, {}, { t_avg: 25 }],
  },
  'a value that has changed to a high one': {
    sql: 'SELECT v FROM oven WHERE changed_col(true, v) > 24',
    given: each('v', 23, 25, 25, 26, 20),
    gives: [{ v: 25 }, { v: 26 }],
  },
  'one of two changes without the other': {
    sql: 'SELECT ts FROM oven WHERE had_changed(true, v) = true AND had_changed(true, w) = false',
    given: [
      [1, { v: 1, w: 1 }],
      [2, { v: 2, w: 1 }],
      [3, { v: 3, w: 2 }],
      [4, { v: 3, w: 2 }],
    ],
    gives: [{ ts: 2000 }],
  },
  'sums and their like go on for as long as the rule runs, also over what WHERE refuses': {
    sql: 'SELECT acc_sum(v) AS s, acc_max(v) AS high, acc_min(v) AS low, acc_count(v) AS n, acc_avg(v) AS mean FROM oven WHERE v > 1',
    given: each('v', 1, 2, 6),
    gives: [
      { s: 3, high: 2, low: 1, n: 2, mean: 1.5 },
      { s: 9, high: 6, low: 1, n: 3, mean: 3 },
    ],
  },
  'sums of each oven, of rows that count': {
    sql: 'SELECT id, acc_sum(v) OVER (PARTITION BY id WHEN v > 20) AS s FROM oven',
    given: STATUS,
    gives: [
      { id: 'a', s: 0 },
      { id: 'b', s: 90 },
      { id: 'a', s: 0 },
      { id: 'a', s: 85 },
      { id: 'b', s: 185 },
      { id: 'a', s: 125 },
    ],
  },
  'only the first alarms': {
    sql: 'SELECT v, last_hit_count() AS before FROM oven WHERE v > 20 AND last_hit_count() < 2',
    given: each('v', 21, 5, 22, 23),
    gives: [
      { v: 21, before: 1 },
      { v: 22, before: 2 },
    ],
  },
};

const COLUMNS: Examples = {
  'an alias is used in other columns; within its own, the name is the column': {
    sql: 'SELECT v + 1 AS v, v + 2 AS more FROM oven',
    given: each('v', 1),
    gives: [{ v: 2, more: 4 }],
  },
  'columns are taken away and replaced, and replacing stands above': {
    sql: 'SELECT * EXCEPT (ts, v, w) REPLACE (v * 2 AS v) FROM oven',
    given: [[1, { v: 4, w: 5, x: 6 }]],
    gives: [{ v: 8, x: 6 }],
  },
  'an array becomes rows, with what stands beside it': {
    sql: 'SELECT unnest(tray), id FROM oven',
    given: [
      [
        1,
        {
          id: 'a',
          tray: [
            { part: 'x', n: 2 },
            { part: 'y', n: 1 },
          ],
        },
      ],
    ],
    gives: [
      { part: 'x', n: 2, id: 'a' },
      { part: 'y', n: 1, id: 'a' },
    ],
  },
  'a size has a word': {
    sql: 'SELECT CASE WHEN v < 150 THEN "small" WHEN v < 170 THEN "middle" ELSE "large" END AS size FROM oven',
    given: each('v', 149, 150, 170),
    gives: [{ size: 'small' }, { size: 'middle' }, { size: 'large' }],
  },
};

checkAll(AGGREGATES);
checkAll(ANALYTIC);
checkAll(COLUMNS);

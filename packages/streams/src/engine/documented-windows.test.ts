/** What eKuiper's documentation shows of windows and joins, each once, in a factory's words: its users find here what they know. */
import { checkAll, type Examples, each, type Given } from './testing/examples.ts';

const WINDOWS: Examples = {
  'a tumbling window counts each row once, by oven': {
    sql: 'SELECT id, count(*) AS n FROM oven GROUP BY id, TUMBLINGWINDOW(ss, 10)',
    given: [
      [1, { id: 'a' }],
      [4, { id: 'b' }],
      [9, { id: 'a' }],
      [10, { id: 'a' }],
    ],
    gives: [
      { id: 'a', n: 2 },
      { id: 'b', n: 1 },
      { id: 'a', n: 1 },
    ],
  },
  'its ends are those of clocks, whenever the first row comes': {
    sql: 'SELECT window_start() AS s, window_end() AS e, window_trigger() AS t FROM oven GROUP BY TUMBLINGWINDOW(mi, 5)',
    given: [[777, { v: 1 }]],
    gives: [{ s: 600_000, e: 900_000, t: 900_000 }],
  },
  'a hopping window has rows of the one before it, by oven': {
    sql: 'SELECT id, count(*) AS n, window_end() AS e FROM oven GROUP BY id, HOPPINGWINDOW(ss, 10, 5)',
    given: [
      [6, { id: 'a' }],
      [8, { id: 'b' }],
      [12, { id: 'a' }],
    ],
    gives: [
      { id: 'a', n: 1, e: 10_000 },
      { id: 'b', n: 1, e: 10_000 },
      { id: 'a', n: 2, e: 15_000 },
      { id: 'b', n: 1, e: 15_000 },
      { id: 'a', n: 1, e: 20_000 },
    ],
  },
  'one that hops by its length is a tumbling one': {
    sql: 'SELECT sum(v) AS s FROM oven GROUP BY HOPPINGWINDOW(ss, 2, 2)',
    given: each('v', 1, 2, 3, 4),
    gives: [{ s: 1 }, { s: 5 }, { s: 4 }],
  },
  'a sliding window gives out at each row, and only then': {
    sql: 'SELECT count(*) AS n FROM oven GROUP BY SLIDINGWINDOW(mi, 1)',
    given: [
      [0, { v: 1 }],
      [59, { v: 2 }],
      [61, { v: 3 }],
      [300, { v: 4 }],
    ],
    gives: [{ n: 1 }, { n: 2 }, { n: 2 }, { n: 1 }],
  },
  'with a delay it waits for what follows the row that asked': {
    sql: 'SELECT collect(v) AS around, window_start() AS s, window_trigger() AS t, window_end() AS e FROM oven GROUP BY SLIDINGWINDOW(ss, 2, 2) OVER (WHEN v = 30)',
    given: each('v', 10, 20, 25, 30, 22, 21, 19),
    gives: [{ around: [25, 30, 22, 21], s: 2000, t: 4000, e: 6000 }],
  },
  'with a condition only rows that meet it ask': {
    sql: 'SELECT avg(v) AS mean FROM oven GROUP BY SLIDINGWINDOW(ss, 3) OVER (WHEN v > 100)',
    given: each('v', 70, 80, 120, 90, 110),
    gives: [{ mean: 90 }, { mean: (120 + 90 + 110) / 3 }],
  },
  'how often it was asked for may be part of the condition': {
    sql: 'SELECT max(v) AS top FROM oven GROUP BY SLIDINGWINDOW(ss, 1) OVER (WHEN v > 1 AND last_hit_count() < 2)',
    given: each('v', 1, 2, 3, 4),
    gives: [{ top: 2 }, { top: 3 }],
  },
  'a session lasts while rows follow each other': {
    sql: 'SELECT id, count(*) AS n FROM oven GROUP BY id, SESSIONWINDOW(mi, 2, 1)',
    given: [
      [0, { id: 'a' }],
      [50, { id: 'b' }],
      [100, { id: 'a' }],
      [200, { id: 'a' }],
    ],
    gives: [
      { id: 'a', n: 2 },
      { id: 'b', n: 1 },
      { id: 'a', n: 1 },
    ],
  },
  'and no longer than its maximum': {
    sql: 'SELECT count(*) AS n FROM oven GROUP BY SESSIONWINDOW(ss, 3, 2)',
    given: each('v', 1, 2, 3, 4, 5, 6),
    gives: [{ n: 3 }, { n: 3 }],
  },
  'a count window counts rows that WHERE refuses': {
    sql: 'SELECT v FROM oven WHERE v > 20 GROUP BY COUNTWINDOW(5)',
    given: each('v', 18, 21, 19, 25, 20, 30),
    gives: [{ v: 21 }, { v: 25 }],
  },
  'with each row, the last five of which more than two are hot': {
    sql: 'SELECT count(*) AS hot FROM oven WHERE v > 20 GROUP BY COUNTWINDOW(5, 1) HAVING count(*) > 2',
    given: each('v', 21, 22, 5, 23, 6, 7, 24),
    gives: [{ hot: 3 }],
  },
  'with every second row, the last five once there are five': {
    sql: 'SELECT collect(v) AS last FROM oven GROUP BY COUNTWINDOW(5, 2)',
    given: each('v', 1, 2, 3, 4, 5, 6, 7, 8, 9),
    gives: [{ last: [2, 3, 4, 5, 6] }, { last: [4, 5, 6, 7, 8] }],
  },
  'FILTER keeps rows from the count: three are always three': {
    sql: 'SELECT collect(v) AS dear FROM oven GROUP BY COUNTWINDOW(3, 1) FILTER (WHERE v > 100)',
    given: each('v', 101, 5, 102, 103, 7, 104),
    gives: [{ dear: [101, 102, 103] }, { dear: [102, 103, 104] }],
  },
  'a state window holds what comes between its two conditions, both ends with it': {
    sql: 'SELECT collect(v) AS run FROM oven GROUP BY STATEWINDOW(v > 1, v > 5)',
    given: each('v', 1, 2, 1, 6, 0, 3, 7),
    gives: [{ run: [2, 1, 6] }, { run: [3, 7] }],
  },
  'windows of no time have no bounds': {
    sql: 'SELECT count(*) AS n, window_start() AS s, window_end() AS e, window_trigger() AS t FROM oven GROUP BY COUNTWINDOW(2)',
    given: each('v', 1, 2),
    gives: [{ n: 2, s: 0, e: 0, t: 0 }],
  },
  'rows that are given out at once have numbers': {
    sql: 'SELECT v, row_number() AS place FROM oven GROUP BY COUNTWINDOW(3)',
    given: each('v', 'x', 'y', 'z'),
    gives: [
      { v: 'x', place: 1 },
      { v: 'y', place: 2 },
      { v: 'z', place: 3 },
    ],
  },
  'a row that fails is told, and the window goes on without it': {
    sql: 'SELECT sum(v) AS s FROM oven GROUP BY TUMBLINGWINDOW(ss, 10)',
    given: each('v', 1, 'broken', 3),
    gives: [{ s: 4 }],
    errors: 1,
  },
};

const TWO: readonly Given[] = [
  [1, { code: 7, v: 100 }],
  [2, { code: 9, v: 200 }],
  [3, { code: 7, part: 'x' }, 'parts'],
  [4, { code: 8, part: 'y' }, 'parts'],
];

const joined = (join: string): string =>
  `SELECT oven.code AS o, parts.code AS p, v, part FROM oven ${join} GROUP BY TUMBLINGWINDOW(ss, 10)`;
const BOTH = { o: 7, p: 7, v: 100, part: 'x' };

const JOINS: Examples = {
  'an inner join has pairs': {
    sql: joined('INNER JOIN parts ON oven.code = parts.code'),
    given: TWO,
    gives: [BOTH],
  },
  'a left join has all of the left': {
    sql: joined('LEFT JOIN parts ON oven.code = parts.code'),
    given: TWO,
    gives: [BOTH, { o: 9, v: 200 }],
  },
  'a right join has all of the right': {
    sql: joined('RIGHT JOIN parts ON oven.code = parts.code'),
    given: TWO,
    gives: [BOTH, { p: 8, part: 'y' }],
  },
  'a full join has all': {
    sql: joined('FULL JOIN parts ON oven.code = parts.code'),
    given: TWO,
    gives: [BOTH, { o: 9, v: 200 }, { p: 8, part: 'y' }],
  },
  'a cross join has each with each': {
    sql: 'SELECT v, part FROM oven CROSS JOIN parts GROUP BY TUMBLINGWINDOW(ss, 10)',
    given: TWO,
    gives: [
      { v: 100, part: 'x' },
      { v: 100, part: 'y' },
      { v: 200, part: 'x' },
      { v: 200, part: 'y' },
    ],
  },
  'rows of both streams count for one window': {
    sql: 'SELECT oven.code AS o FROM oven INNER JOIN parts ON oven.code = parts.code GROUP BY COUNTWINDOW(4)',
    given: TWO,
    gives: [{ o: 7 }],
  },
  'a table is looked up row by row, without a window': {
    sql: 'SELECT v, recipe FROM oven INNER JOIN recipes ON oven.code = recipes.code',
    given: TWO.slice(0, 2),
    gives: [{ v: 100, recipe: 'steel' }],
  },
  'a left join keeps rows that the table does not know': {
    sql: 'SELECT v, recipe FROM oven LEFT JOIN recipes ON oven.code = recipes.code WHERE v > 100',
    given: TWO.slice(0, 2),
    gives: [{ v: 200 }],
  },
  'what was looked up may be grouped': {
    sql: 'SELECT recipe, sum(v) AS s FROM oven INNER JOIN recipes ON oven.code = recipes.code GROUP BY recipe, COUNTWINDOW(3)',
    given: [
      [1, { code: 7, v: 1 }],
      [2, { code: 8, v: 2 }],
      [3, { code: 9, v: 4 }],
      [4, { code: 7, v: 8 }],
    ],
    gives: [
      { recipe: 'steel', s: 9 },
      { recipe: 'brass', s: 2 },
    ],
  },
};

checkAll(WINDOWS);
checkAll(JOINS);

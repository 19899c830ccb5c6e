/** Rule: a query that runs for as long as it is placed at a node, where its results go, and cases that it must pass. */
import type { KubeObject } from '@skerry/api';
import {
  choice,
  definition,
  duration,
  flag,
  identifier,
  integer,
  list,
  listBy,
  mapOf,
  nameOf,
  object,
  open,
  text,
  time,
} from '@skerry/api/definitions';
import { RULES, STREAMS, TABLES } from './group.ts';
import {
  credentials,
  FIELD_TYPES,
  type FieldType,
  type NodeStatus,
  nodeStatuses,
  type Placed,
  perSecond,
  placed,
  SECRETS,
} from './shared.ts';

export interface Rule extends KubeObject {
  readonly spec: RuleSpec;
  readonly status?: RuleStatus;
}

export interface RuleSpec extends Placed {
  readonly enabled?: boolean;
  readonly sql: string;
  /** Streams and tables that the SQL names; those of the same namespace whose names it has, without it. */
  readonly streams?: readonly string[];
  readonly tables?: readonly string[];
  readonly functions?: readonly RuleFunction[];
  readonly sinks?: readonly RuleSink[];
  readonly options?: RuleOptions;
  readonly tests?: readonly RuleTest[];
}

export interface RuleFunction {
  readonly name: string;
  readonly parameters?: readonly FieldType[];
  readonly returns?: FieldType;
  /** The body of a function of JavaScript; its arguments are a, b, c … or `names`. */
  readonly javascript: string;
  readonly names?: readonly string[];
  readonly timeout?: string;
  readonly maxBytes?: number;
}

/** One kind of place, and how rows get there. */
export interface RuleSink {
  readonly name: string;
  readonly output?: 'Results' | 'Late';
  /** Fields that are handed on; all without it. */
  readonly fields?: readonly string[];
  /** Text in which `{field}` stands for values, in the place of JSON. */
  readonly template?: string;
  /** Results that come together go as one list. */
  readonly together?: boolean;
  readonly log?: object;
  readonly bus?: BusSink;
  readonly mqtt?: MqttSink;
  readonly http?: HttpSink;
  readonly file?: FileSink;
  readonly device?: DeviceSink;
  readonly store?: StoreSink;
}

/** Fields become values of series, like those of devices. */
export interface BusSink {
  /** `{field}` stands for values. The rule’s name without it. */
  readonly object?: string;
  readonly timeField?: string;
}

export interface MqttSink {
  readonly server: string;
  readonly topic: string;
  readonly qos?: number;
  readonly retain?: boolean;
  readonly version?: '3.1.1' | '5';
  readonly secretName?: string;
}

export interface HttpSink {
  readonly url: string;
  readonly method?: 'POST' | 'PUT' | 'PATCH';
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeout?: string;
  readonly secretName?: string;
}

export interface FileSink {
  readonly path: string;
  readonly format?: 'Json' | 'Csv';
  readonly maxBytes?: number;
  readonly keep?: number;
}

/** Through the door of the twin, like every other write. */
export interface DeviceSink {
  readonly device: string;
  /** By property: the field that is written. Fields of the same name without it. */
  readonly values?: Readonly<Record<string, string>>;
}

/** Fields become points of the node’s time series store. */
export interface StoreSink extends BusSink {
  /** Further labels, by name; `{field}` stands for values. */
  readonly labels?: Readonly<Record<string, string>>;
}

export interface RuleOptions {
  readonly time?: 'Event' | 'Processing';
  readonly timeZone?: string;
  readonly checkpointInterval?: string;
  readonly maxKeys?: number;
  readonly maxWindowRows?: number;
  readonly maxWaitingRows?: number;
}

/** Rows in, rows out, under a clock that follows their times. */
export interface RuleTest {
  readonly name: string;
  readonly input: readonly TestRow[];
  /** What tables hold meanwhile; those without their rows in themselves must be here. */
  readonly tables?: readonly TestTable[];
  readonly expected: readonly Readonly<Record<string, unknown>>[];
  readonly late?: readonly Readonly<Record<string, unknown>>[];
}

export interface TestRow {
  readonly stream?: string;
  /** When it comes: after so long from the beginning. */
  readonly at?: string;
  readonly row: Readonly<Record<string, unknown>>;
}

export interface TestTable {
  readonly name: string;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

export interface RuleStatus {
  readonly nodes?: readonly string[];
  readonly state?: string;
  readonly onNodes?: Readonly<Record<string, RuleNodeStatus>>;
}

export interface RuleNodeStatus extends NodeStatus {
  readonly rowsIn?: number;
  readonly rowsOut?: number;
  readonly rowsInPerSecond?: number;
  readonly rowsOutPerSecond?: number;
  readonly lagMs?: number;
  readonly late?: number;
  readonly dropped?: Readonly<Record<string, number>>;
  readonly errors?: number;
  readonly keys?: number;
  readonly windowRows?: number;
  readonly stateBytes?: number;
  readonly lastCheckpointTime?: string;
  readonly sinks?: Readonly<Record<string, SinkStatus>>;
  readonly operators?: readonly OperatorStatus[];
}

export interface SinkStatus {
  readonly rows?: number;
  readonly failures?: number;
  readonly waiting?: number;
  readonly lastError?: string;
}

export interface OperatorStatus {
  readonly id: string;
  readonly operator: string;
  readonly rowsIn?: number;
  readonly rowsOut?: number;
  readonly errors?: number;
}

const text256 = (description: string) => text(description, { minLength: 1, maxLength: 253 });
const templated = (description: string) => text(`${description}; \`{field}\` stands for values.`, { minLength: 1 });
const objectName = templated('The device or other thing that the values are of; the name of the rule without it');
const timeField = text256('The field with the time, in milliseconds; the time of the row without it.');

const sink = object(
  'One place for results.',
  {
    name: text('Name.', { minLength: 1, maxLength: 63 }),
    output: choice('The results, or the rows that came too late.', ['Results', 'Late'], 'Results'),
    fields: list('Fields that are handed on; all without it.', text256('A field.'), 1024),
    template: text('Text in the place of JSON; `{field}` stands for values.', { minLength: 1, maxLength: 65_536 }),
    together: flag('Results that come together go as one list.', { default: false }),
    log: open('The log of the node.'),
    bus: object('Values of series at the node, like those of devices.', { object: objectName, timeField }),
    mqtt: object(
      'Messages to a broker.',
      {
        server: text('mqtt://HOST:PORT or mqtts://HOST:PORT.', { pattern: '^mqtts?://[^/]+$' }),
        topic: templated('Topic'),
        qos: integer('Quality.', { minimum: 0, maximum: 2, default: 1 }),
        retain: flag('The broker keeps the last.', { default: false }),
        version: choice('Of the protocol.', ['3.1.1', '5'], '3.1.1'),
        ...credentials,
      },
      ['server', 'topic'],
    ),
    http: object(
      'Requests.',
      {
        url: text('Where to; `{field}` stands for values.', { pattern: '^https?://', maxLength: 2048 }),
        method: choice('How.', ['POST', 'PUT', 'PATCH'], 'POST'),
        headers: mapOf('Are sent with every request.', text('A header.', { maxLength: 4096 }), 32),
        timeout: duration('An answer is waited for so long.', { default: '5s' }),
        ...credentials,
      },
      ['url'],
    ),
    file: object(
      'Lines of a file of the node.',
      {
        path: text('Relative to the folder of streams’ files.', { minLength: 1, pattern: '^[^/].*$' }),
        format: choice('What the lines are.', ['Json', 'Csv'], 'Json'),
        maxBytes: integer('A file that is so large is put aside, and a new one begun.', {
          minimum: 1024,
          default: 67_108_864,
        }),
        keep: integer('So many of those are kept.', { minimum: 0, maximum: 1000, default: 5 }),
      },
      ['path'],
    ),
    device: object(
      'Properties of a device of the node.',
      {
        device: templated('Name of the Device'),
        values: mapOf('By property: the field that is written.', text256('A field.'), 256),
      },
      ['device'],
    ),
    store: object('Points of the node’s time series.', {
      object: objectName,
      timeField,
      labels: mapOf('Further labels; `{field}` stands for values.', text('Its value.'), 16),
    }),
  },
  ['name'],
);

const func = object(
  'A function in JavaScript, without a way out of its sandbox.',
  {
    name: identifier('Name in SQL.'),
    names: list('Names of its arguments; a, b, c … without it.', identifier('A name.'), 16),
    parameters: list('Their types; Any without it.', choice('A type.', FIELD_TYPES), 16),
    returns: choice('Type of what it returns.', FIELD_TYPES, 'Any'),
    javascript: text('The body of the function.', { minLength: 1, maxLength: 65_536 }),
    timeout: duration('One call may last so long.', { default: '50ms' }),
    maxBytes: integer('Memory that it may take.', { minimum: 262_144, maximum: 268_435_456, default: 8_388_608 }),
  },
  ['name', 'javascript'],
);

const testTable = object(
  'What a table holds.',
  { name: nameOf('The table.'), rows: list('Its rows.', open('A row.'), 1000) },
  ['name', 'rows'],
);

const test = object(
  'A case that the rule must pass before nodes are given it.',
  {
    name: text('Name.', { minLength: 1, maxLength: 253 }),
    input: list(
      'Rows as they come.',
      object(
        'A row.',
        {
          stream: nameOf('The stream it comes in; may be left out where there is one.'),
          at: duration('It comes so long after the beginning.'),
          row: open('It.'),
        },
        ['row'],
      ),
      1000,
    ),
    tables: listBy('name', 'What tables hold meanwhile; a table whose rows are elsewhere must be here.', testTable, 32),
    expected: list('Results, in order.', open('A result.'), 1000),
    late: list('Rows that came too late, in order; not looked at without it.', open('A row.'), 1000),
  },
  ['name', 'input', 'expected'],
);

const sinkStatus = object('How a sink does.', {
  rows: integer('Rows that it took.'),
  failures: integer('Attempts that failed.'),
  waiting: integer('Rows that wait.'),
  lastError: text('What went wrong last.', { maxLength: 4096 }),
});

const operator = object(
  'What an operator of the plan has done.',
  {
    id: text256('Its id in the plan.'),
    operator: text256('What it is.'),
    rowsIn: integer('Rows that came in.'),
    rowsOut: integer('Rows that went out.'),
    errors: integer('Rows that failed.'),
  },
  ['id', 'operator'],
);

export const ruleDefinition: KubeObject = definition({
  kind: 'Rule',
  gvr: RULES,
  description: 'A query on streams that runs at nodes, and where its results go.',
  spec: object(
    'The rule.',
    {
      ...placed,
      enabled: flag('Whether it runs.', { default: true }),
      sql: text('The query.', { minLength: 1, maxLength: 65_536 }),
      streams: list('Streams that the query names; needed at its nodes.', nameOf('A stream.'), 32),
      tables: list('Tables that the query names; needed at its nodes.', nameOf('A table.'), 32),
      functions: listBy('name', 'Functions of its own.', func, 32),
      sinks: listBy('name', 'Where results go.', sink, 16),
      options: object('How it runs.', {
        time: choice('Windows go by the times of rows, or by the clock.', ['Event', 'Processing'], 'Event'),
        timeZone: text('Days, hours and dates are those of this zone, such as Europe/Berlin; of UTC without it.', {
          minLength: 1,
          maxLength: 64,
        }),
        checkpointInterval: duration('What it knows is on disk so often.', { default: '5s' }),
        maxKeys: integer('So many groups at most; rows of further ones are dropped and counted.', {
          minimum: 1,
          maximum: 10_000_000,
          default: 100_000,
        }),
        maxWindowRows: integer('So many rows are kept for windows; further ones are dropped and counted.', {
          minimum: 1,
          maximum: 10_000_000,
          default: 1_000_000,
        }),
        maxWaitingRows: integer('So many rows wait for a sink; the oldest are dropped and counted.', {
          minimum: 1,
          maximum: 1_000_000,
          default: 10_000,
        }),
      }),
      tests: listBy('name', 'Cases that it must pass.', test, 64),
    },
    ['sql'],
  ),
  status: nodeStatuses('How it runs.', {
    rowsIn: integer('Rows that came in since it started.'),
    rowsOut: integer('Results since it started.'),
    rowsInPerSecond: perSecond('Rows that came in'),
    rowsOutPerSecond: perSecond('Results'),
    lagMs: integer('How far behind the clock the time of its rows is.'),
    late: integer('Rows that came too late.'),
    dropped: mapOf('Rows that were dropped, by reason.', integer('How many.'), 16),
    errors: integer('Rows that failed.'),
    keys: integer('Groups and partitions that it keeps.'),
    windowRows: integer('Rows that it keeps.'),
    stateBytes: integer('Size of the last checkpoint.'),
    lastCheckpointTime: time('When it was.'),
    sinks: mapOf('How its sinks do, by name.', sinkStatus, 16),
    operators: list('What the operators of the plan have done.', operator, 64),
  }),
  columns: [
    { name: 'State', path: '.status.state' },
    { name: 'Nodes', path: '.status.nodes', priority: 1 },
    { name: 'SQL', path: '.spec.sql', priority: 1 },
  ],
  relations: [
    { to: STREAMS, namePaths: ['spec.streams[]'] },
    { to: TABLES, namePaths: ['spec.tables[]'] },
    { to: SECRETS, namePaths: ['spec.sinks[].mqtt.secretName', 'spec.sinks[].http.secretName'] },
  ],
});

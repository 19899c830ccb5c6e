import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { evaluatePromQl } from './evaluate.ts';
import { parsePromQl } from './parse.ts';
import { metricsOf } from './select.ts';
import { memorySource } from './testing/memory-source.ts';

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

const DASHBOARD = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../../../../deploy/grafana/skerry-series.json'), 'utf8'),
) as Dashboard;

/** As Grafana fills them in. */
const VARIABLES: Readonly<Record<string, string>> = { namespace: '.+', device: '(a|b)', property: 'load', hold: '1h' };

function filled(text: string): string {
  return text.replaceAll(
    /\$(\w+)/g,
    (_whole, name: string) => VARIABLES[name] ?? assert.fail(`$${name} is no variable`),
  );
}

const NOON = Date.UTC(2026, 0, 1, 12);

const SOURCE = memorySource(
  ['a', 'b'].map((device) => ({
    labels: { namespace: 'default', device, property: 'load', node: 'edge-1' },
    points: [
      [NOON - 120_000, 1],
      [NOON - 60_000, 2],
    ],
  })),
);

test('every panel of the dashboard shows something of a device that has values', async () => {
  const expressions = DASHBOARD.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr })));
  assert.ok(expressions.length >= DASHBOARD.panels.length);
  for (const { title, expr } of expressions) {
    const { value } = await evaluatePromQl(SOURCE, { query: filled(expr), start: NOON, end: NOON, step: 1 });
    assert.ok(value.type === 'vector' && value.series.length > 0, `${title}: ${expr}`);
  }
});

test('every variable of the dashboard has something to choose', () => {
  const queries = DASHBOARD.templating.list.flatMap(({ definition }) => definition ?? []);
  assert.ok(queries.length >= 3);
  for (const query of queries) {
    const [, selector = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(query) ?? [];
    const expr = parsePromQl(filled(selector));
    assert.ok(expr.kind === 'vector', query);
    assert.ok(
      metricsOf(SOURCE, expr.matchers).some((labels) => labels.get(label) !== undefined),
      query,
    );
  }
});

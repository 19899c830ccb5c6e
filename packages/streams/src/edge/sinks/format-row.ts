/** Rows as what a sink hands on: their fields, JSON, or text made of a template. */
import { plain } from '../../engine/rule/run-test.ts';
import type { RuleSink } from '../../kinds/rule.ts';
import type { Row, Value } from '../../sql/index.ts';

/** Only the fields that the sink wants. */
export function fieldsOf({ fields }: Pick<RuleSink, 'fields'>, row: Row): Row {
  if (fields === undefined || fields.length === 0) return row;
  return Object.fromEntries(fields.filter((name) => name in row).map((name) => [name, row[name]]));
}

/** A text a message: one for all rows where they are to go together. */
export function messagesOf(sink: RuleSink, rows: readonly Row[]): readonly string[] {
  const { template } = sink;
  const texts = rows.map((row) =>
    template === undefined ? JSON.stringify(plain(fieldsOf(sink, row))) : fillIn(template, row),
  );
  if (sink.together !== true) return texts;
  return [template === undefined ? `[${texts.join(',')}]` : texts.join('\n')];
}

const PLACE = /\{([A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*)\}/g;

/** `{field}` and `{field.inner}` stand for values; of what is not there, nothing is left. */
export function fillIn(template: string, row: Row): string {
  if (!template.includes('{')) return template;
  return template.replaceAll(PLACE, (_, path: string) => {
    let value: Value = row;
    for (const name of path.split('.')) value = (value as Readonly<Record<string, Value>> | undefined)?.[name];
    const shown = plain(value);
    if (shown === undefined || shown === null) return '';
    return typeof shown === 'object' ? JSON.stringify(shown) : String(shown);
  });
}

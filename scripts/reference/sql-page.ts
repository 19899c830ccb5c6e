/** The reference page of the rules' language, in English and in Chinese: what people wrote about it, and the table of its functions. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Family, FUNCTIONS, type SqlFunction, showType, usage } from '@skerry/streams/sql';

interface Words {
  readonly title: string;
  readonly functions: string;
  readonly intro: string;
  readonly columns: readonly [string, string, string];
  readonly families: Readonly<Record<Family, string>>;
}

const ENGLISH: Words = {
  title: 'SQL of rules',
  functions: 'Functions',
  intro:
    'Arguments in brackets may be left out; `…` takes any number of them. NULL as an argument makes the result NULL, unless the sentence says otherwise. A value that is of another type than the function takes is an error of its row.',
  columns: ['function', 'types', 'what it gives'],
  families: {
    aggregate: 'Aggregates',
    analytic: 'Analytic',
    math: 'Mathematics',
    string: 'Strings',
    conversion: 'Conversion',
    hashing: 'Hashing',
    json: 'JSON',
    array: 'Arrays',
    object: 'Structs',
    time: 'Date and time',
    rows: 'Rows',
    other: 'Others',
  },
};

const CHINESE: Words = {
  title: '规则的 SQL',
  functions: '函数',
  intro:
    '方括号里的参数可以省略，`…` 表示可以有任意多个。除非另有说明，参数为 NULL 时结果就是 NULL。值的类型与函数要求不符时，该行出错。',
  columns: ['函数', '类型', '结果'],
  families: {
    aggregate: '聚合函数',
    analytic: '分析函数',
    math: '数学',
    string: '字符串',
    conversion: '类型转换',
    hashing: '散列',
    json: 'JSON',
    array: '数组',
    object: '结构',
    time: '日期与时间',
    rows: '多行',
    other: '其他',
  },
};

export function sqlPage(generated: string): string {
  const summaries = new Map([...FUNCTIONS.values()].map(({ name, summary }) => [name, summary]));
  return page(generated, ENGLISH, summaries, [read('sql-language.md'), read('sql-differences.md')]);
}

export function chineseSqlPage(generated: string): string {
  const summaries = new Map(Object.entries(JSON.parse(read('sql-functions.zh.json')) as Record<string, string>));
  return page(generated, CHINESE, summaries, [read('sql-language.zh.md'), read('sql-differences.zh.md')]);
}

function page(
  generated: string,
  words: Words,
  summaries: ReadonlyMap<string, string>,
  [language = '', differences = '']: readonly string[],
): string {
  const families = Object.entries(words.families).map(([family, title]) => {
    const rows = [...FUNCTIONS.values()].filter((one) => one.family === family);
    const lines = rows.map((one) => `| \`${usage(one)}\` | ${typesOf(one)} | ${said(one.name, summaries)} |`);
    return `### ${title}\n\n| ${words.columns.join(' | ')} |\n|---|---|---|\n${lines.join('\n')}\n`;
  });
  return `# ${words.title}

${generated}

${language}
## ${words.functions}

${words.intro}

${families.join('\n')}
${differences}`;
}

/** Of the arguments and of the result; `any` where it follows from the arguments. */
function typesOf({ parameters, returns }: SqlFunction): string {
  const taken = parameters.map(({ shows }) => shows).join(', ');
  return `${taken}${taken === '' ? '' : ' '}→ ${showType(returns([], []))}`;
}

function said(name: string, summaries: ReadonlyMap<string, string>): string {
  const summary = summaries.get(name);
  if (summary === undefined) throw new Error(`scripts/reference/sql-functions.zh.json has no sentence for ${name}`);
  return summary.replaceAll('|', '\\|');
}

function read(name: string): string {
  return readFileSync(join(import.meta.dirname, name), 'utf8');
}

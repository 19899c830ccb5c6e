/** Sets of completion indexes as statuses carry them: `1,3-5,7`. Pure. */

/** The indexes of a text, ascending; what is no index below `limit` is left out. */
export function parseIndexes(text: string | undefined, limit: number): number[] {
  const found = new Set<number>();
  for (const part of (text ?? '').split(',')) {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(part.trim()) ?? [];
    if (first === undefined) continue;
    const end = Math.min(Number(last), limit - 1);
    for (let index = Number(first); index <= end; index++) found.add(index);
  }
  return [...found].sort((left, right) => left - right);
}

export function formatIndexes(indexes: Iterable<number>): string {
  const runs: [first: number, last: number][] = [];
  for (const index of [...new Set(indexes)].sort((left, right) => left - right)) {
    const run = runs.at(-1);
    if (run !== undefined && run[1] === index - 1) run[1] = index;
    else runs.push([index, index]);
  }
  return runs.map(formatRun).join(',');
}

// Two in a row are no run: Kubernetes writes `0,1`.
function formatRun([first, last]: readonly [number, number]): string {
  if (first === last) return `${first}`;
  return `${first}${last === first + 1 ? ',' : '-'}${last}`;
}

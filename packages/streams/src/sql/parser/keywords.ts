/** Words that are no names unless they stand in backticks. All others, such as FILTER or WITH, mean something only in their place. */
const RESERVED: ReadonlySet<string> = new Set(
  (
    'SELECT FROM JOIN LEFT RIGHT FULL CROSS INNER ON WHERE GROUP ORDER HAVING BY ASC DESC LIMIT AS AND OR NOT ' +
    'CASE WHEN THEN ELSE END IN BETWEEN LIKE OVER PARTITION TRUE FALSE NULL'
  ).split(' '),
);

export function isReserved(word: string): boolean {
  return RESERVED.has(word.toUpperCase());
}

/** A line of a CRI log: `TIME STREAM F|P TEXT`. Pure. */
export interface LogLine {
  readonly time: string;
  readonly stream: string;
  /** The line goes on in the next entry. */
  readonly isPartial: boolean;
  readonly text: string;
}

/** Undefined for what is no such line. */
export function parseLogLine(line: string): LogLine | undefined {
  const first = line.indexOf(' ');
  const second = line.indexOf(' ', first + 1);
  const third = line.indexOf(' ', second + 1);
  if (first < 0 || second < 0) return undefined;
  const end = third < 0 ? line.length : third;
  return {
    time: line.slice(0, first),
    stream: line.slice(first + 1, second),
    isPartial: line.slice(second + 1, end).split(':')[0] === 'P',
    text: line.slice(end + 1),
  };
}

/** The logger interface: constant message, data in fields. Who writes it where is decided in `bin/`. */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** A logger that adds `fields` to each line. */
  child(fields: LogFields): Logger;
}

/** Drops everything; for tests and for libraries used without a log. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};

export interface JsonLoggerOptions {
  readonly write: (line: string) => void;
  readonly now: () => number;
  readonly level?: LogLevel;
  readonly fields?: LogFields;
}

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** One JSON object a line: `time` (RFC 3339), `level`, `msg`, then the fields. Errors become message, code and cause. */
export function jsonLogger(options: JsonLoggerOptions): Logger {
  const lowest = LEVELS.indexOf(options.level ?? 'info');
  const at = (level: LogLevel) => (fields: LogFields, message: string) => {
    if (LEVELS.indexOf(level) < lowest) return;
    const head = { time: new Date(options.now()).toISOString(), level, msg: message };
    options.write(`${JSON.stringify({ ...head, ...options.fields, ...fields }, plainErrors)}\n`);
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => jsonLogger({ ...options, fields: { ...options.fields, ...fields } }),
  };
}

function plainErrors(_key: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const { code } = value as { code?: unknown };
  return {
    message: value.message,
    ...(code === undefined ? {} : { code }),
    ...(value.cause === undefined ? {} : { cause: value.cause }),
  };
}

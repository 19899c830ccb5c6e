/** Options of a single outlet type, which its resource leaves open. */
import { OutletError } from './target.ts';

type Options = Readonly<Record<string, unknown>>;

export function textOption(options: Options, name: string): string | undefined {
  const value = options[name];
  if (value === undefined || typeof value === 'string') return value;
  throw new OutletError(`options.${name} must be a text`, { isFinal: true });
}

export function flagOption(options: Options, name: string): boolean | undefined {
  const value = options[name];
  if (value === undefined || typeof value === 'boolean') return value;
  throw new OutletError(`options.${name} must be true or false`, { isFinal: true });
}

export function choiceOption<T extends string>(options: Options, name: string, choices: readonly T[]): T | undefined {
  const value = options[name];
  if (value === undefined) return undefined;
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw new OutletError(`options.${name} must be one of ${choices.join(', ')}`, { isFinal: true });
}

/** A port by its number, or by the name that its container gave it. */
import type { Container } from './types.ts';

export function containerPort(port: number | string, { ports = [] }: Container): number {
  if (typeof port === 'number') return port;
  if (/^\d+$/.test(port)) return Number(port);
  const named = ports.find(({ name }) => name === port);
  if (named === undefined) throw new Error(`couldn't find port: ${port}`);
  return named.containerPort;
}

/** Two ends of a port in one process, through a structured clone as between threads; or through the text of the socket protocol. */
import type { FromDriver, Port, ToDriver } from './messages.ts';

export interface Loopback {
  readonly worker: Port<ToDriver, FromDriver>;
  readonly driver: Port<FromDriver, ToDriver>;
  /** Ends both ends, as a crash would. */
  breakOff(reason: string): void;
}

export function loopback(pass: <T>(message: T) => T = structuredClone): Loopback {
  const closed = Promise.withResolvers<string>();
  let isOpen = true;
  let toWorker: (message: FromDriver) => void = () => {};
  let toDriver: (message: ToDriver) => void = () => {};
  const breakOff = (reason: string) => {
    isOpen = false;
    closed.resolve(reason);
  };
  const deliver = <T>(message: T, to: () => (message: T) => void) => {
    if (!isOpen) return;
    const passed = pass(message);
    queueMicrotask(() => {
      if (isOpen) to()(passed);
    });
  };
  const common = { closed: closed.promise, close: () => breakOff('closed') };
  return {
    worker: {
      ...common,
      post: (message) => deliver(message, () => toDriver),
      onMessage: (listener) => {
        toWorker = listener;
      },
    },
    driver: {
      ...common,
      post: (message) => deliver(message, () => toWorker),
      onMessage: (listener) => {
        toDriver = listener;
      },
    },
    breakOff,
  };
}

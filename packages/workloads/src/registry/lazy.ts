/** A registry that costs nothing until somebody asks it something, and makes room for itself from time to time. */
import { existsSync } from 'node:fs';
import { messageOf } from '@skerry/base';
import { openRegistry, type Registry, type RegistryOptions } from './registry.ts';

export interface LazyRegistry extends AsyncDisposable {
  open(): Promise<Registry>;
  /** The namespace is gone, and its images with it. */
  forget(namespace: string): Promise<void>;
}

export interface LazyRegistryOptions extends RegistryOptions {
  readonly isNamespace: (name: string) => boolean;
}

/** How often room is made without being asked. */
const COLLECT_MS = 6 * 3_600_000;

export function lazyRegistry(options: LazyRegistryOptions): LazyRegistry {
  const { clock, log, directory, isNamespace } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  let opened: Promise<Registry> | undefined;
  const openNow = async (): Promise<Registry> => {
    const registry = await openRegistry(options);
    // A namespace may have gone in the moment in which the process did.
    for (const owner of registry.catalog.owners()) if (!isNamespace(owner)) registry.catalog.removeOwned(owner);
    return registry;
  };
  const open = (): Promise<Registry> => {
    signal.throwIfAborted();
    opened ??= openNow().catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
  const collect = async () => {
    if (opened === undefined && !existsSync(directory)) return;
    try {
      await (await open()).collect({ signal });
    } catch (error) {
      if (!signal.aborted) log.error({ error: messageOf(error) }, 'registry not collected');
    }
  };
  const collecting = (async () => {
    while (!signal.aborted) {
      await clock.sleep(COLLECT_MS, signal).catch(() => {});
      if (!signal.aborted) await collect();
    }
  })();
  return {
    open,
    forget: async (namespace) => {
      if (opened !== undefined || existsSync(directory)) (await open()).catalog.removeOwned(namespace);
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await collecting;
      const registry = await opened?.catch(() => undefined);
      registry?.[Symbol.dispose]();
    },
  };
}

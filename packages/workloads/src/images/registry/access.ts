/** How each registry is reached: its address, its mirrors, whom to trust, and whether TLS may be missing. Pure. */
import { isIP } from 'node:net';
import type { ImageReference } from '../contract.ts';
import { DOCKER_HUB } from '../reference.ts';

export interface RegistryAccess {
  /** Asked first, in this order and without credentials: `https://mirror.example:5000`, or with a path before `/v2`. */
  readonly mirrors?: readonly string[];
  /** Certificates in PEM form that are trusted beside those of the machine. */
  readonly ca?: string;
  /** Permits plain HTTP. A registry on this machine needs no permission; `false` asks for TLS there too. */
  readonly plainHttp?: boolean;
}

/** By the registry as references name it, `docker.io` or `registry.example:5000`. */
export type RegistrySettings = Readonly<Record<string, RegistryAccess>>;

export interface Endpoint {
  /** Without a slash at its end; `/v2/…` follows. */
  readonly base: string;
  readonly ca?: string;
  /** Whether it, and what it redirects to, was permitted to do without TLS; this machine needs no permission. */
  readonly plainHttp: boolean;
  readonly isMirror: boolean;
  /** Whether settings name it, so that it may be this machine itself. */
  readonly isNamed: boolean;
}

const DOCKER_HUB_HOST = 'registry-1.docker.io';

/** In the order they are asked: mirrors, then the registry itself. */
export function endpointsOf({ registry }: ImageReference, settings: RegistrySettings): readonly Endpoint[] {
  const access = Object.hasOwn(settings, registry) ? settings[registry] : undefined;
  const mirrors = (access?.mirrors ?? []).map((mirror): Endpoint => {
    const own = accessOf(settings, mirror);
    return {
      base: mirror.replace(/\/+$/, ''),
      plainHttp: own?.plainHttp === true,
      isMirror: true,
      isNamed: true,
      ...caOf(own ?? access),
    };
  });
  const host = registry === DOCKER_HUB ? DOCKER_HUB_HOST : registry;
  const isPlain = access?.plainHttp ?? (isLoopback(new URL(`https://${host}`).hostname) && access?.ca === undefined);
  const base = `${isPlain ? 'http' : 'https'}://${host}`;
  const itself = { base, plainHttp: access?.plainHttp === true, isMirror: false, isNamed: access !== undefined };
  return [...mirrors, { ...itself, ...caOf(access) }];
}

export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** `localhost`, and addresses that lead to the machine itself or to those that only machines talk to. */
export function isOfMachine(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) === 0) return /(^|\.)localhost\.?$/i.test(host);
  return /^(127\.|0\.|169\.254\.|::1$|::$|fe[89ab][0-9a-f]:|::ffff:)/i.test(host);
}

function accessOf(settings: RegistrySettings, url: string): RegistryAccess | undefined {
  const { host } = new URL(url);
  return Object.hasOwn(settings, host) ? settings[host] : undefined;
}

function caOf(access: RegistryAccess | undefined): { readonly ca?: string } {
  return access?.ca === undefined ? {} : { ca: access.ca };
}

/** TLS over TCP. A TrustList decides who answers, else the authorities that everybody knows; whom it refuses can be shown to a person. */
import { once } from 'node:events';
import { isIP } from 'node:net';
import { checkServerIdentity, connect, type SecureContextOptions, type TLSSocket } from 'node:tls';
import type { DriverContext, Trust } from '../driver.ts';
import { DriverError } from '../driver-error.ts';
import { connectTcp, type TcpEndpoint, type TcpOptions } from './tcp-stream.ts';
import { chainRefusal, contextOf, fingerprintsOf, inWords } from './tls-trust.ts';

export interface TlsOptions extends TcpOptions, Pick<DriverContext, 'onRejectedCertificate'> {
  readonly trust?: Trust | undefined;
  /** Who we are, where the other side asks. */
  readonly own?: Pick<SecureContextOptions, 'cert' | 'key'>;
}

/** Nothing has been sent to whoever is refused. Rejects with a DriverError. */
export async function connectTls(endpoint: TcpEndpoint, options: TlsOptions): Promise<TLSSocket> {
  const { trust, own = {}, clock, signal, timeoutMs } = options;
  const trusted = trust === undefined ? undefined : readTrust(trust);
  const { host } = endpoint;
  const socket = await connectTcp(endpoint, options);
  const late = new AbortController();
  const timer = clock.after(timeoutMs, () => late.abort());
  let peer: Uint8Array | undefined;
  let tls: TLSSocket | undefined;
  try {
    tls = connect({
      socket,
      host,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      minVersion: 'TLSv1.2',
      ...(trust === undefined ? {} : contextOf(trust)),
      ...own,
      // An authority vouches for a name; whoever is in the list itself is known by its key.
      checkServerIdentity: (name, certificate) =>
        trusted?.has(certificate.fingerprint256) === true ? undefined : checkServerIdentity(name, certificate),
    });
    // Before it is judged, because whoever is refused is cut off with it. (Asked for as X509Certificate it is gone for the judge.)
    tls.prependListener('secure', function (this: TLSSocket) {
      peer = this.getPeerCertificate().raw;
    });
    // Whoever has it is told by its end.
    tls.on('error', () => {});
    await once(tls, 'secureConnect', { signal: AbortSignal.any([signal, late.signal]) });
    const refusal = trusted === undefined ? undefined : chainRefusal(tls, trusted);
    if (refusal !== undefined) throw refused(refusal, peer, options);
    return tls;
  } catch (cause) {
    (tls ?? socket).destroy();
    if (cause instanceof DriverError) throw cause;
    if (signal.aborted) throw new DriverError('Closed', 'the attempt to connect was given up', { cause });
    const name = `${host}:${endpoint.port}`;
    if (late.signal.aborted)
      throw new DriverError('TimedOut', `${name} made no TLS connection within ${timeoutMs} ms`, { cause });
    const { code = String(cause) } = cause as NodeJS.ErrnoException;
    if (peer !== undefined && isVerdict(code)) throw refused(inWords(code), peer, options, cause);
    throw new DriverError('Unreachable', `${name}: no TLS connection (${code})`, { cause });
  } finally {
    timer.cancel();
  }
}

function readTrust(trust: Trust): ReadonlySet<string> {
  try {
    return fingerprintsOf(trust);
  } catch (cause) {
    throw new DriverError('Misconfigured', 'the TrustList has something that cannot be read', { cause });
  }
}

/** What OpenSSL says of a certificate; what it and the system say of a connection begins otherwise. */
function isVerdict(code: string): boolean {
  return code === 'ERR_TLS_CERT_ALTNAME_INVALID' || !/^(?:E[A-Z]+$|ERR_)/.test(code);
}

function refused(
  reason: string,
  peer: Uint8Array | undefined,
  { onRejectedCertificate }: TlsOptions,
  cause?: unknown,
): DriverError {
  const sentence = `the server's certificate ${reason}`;
  if (peer !== undefined) onRejectedCertificate?.(new Uint8Array(peer), sentence);
  return new DriverError('AccessDenied', sentence, { cause });
}

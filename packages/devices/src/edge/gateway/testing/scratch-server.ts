/** For tests: a server of the gateway without a data worker, and what came to its door. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock } from '@skerry/base';
import { type UserIdentityInfo, UserTokenType } from 'node-opcua-client';
import { type ResolvedModel, resolveModel } from '../../../models/resolve-model.ts';
import type { DeviceModel, DeviceModelSpec } from '../../../resources/device-model.ts';
import { createPasswords } from '../../logins/passwords.ts';
import { ownKeyPair } from '../../opcua/own-certificate.ts';
import { readAnchors } from '../../opcua/trust.ts';
import type { CommandRequest, DeviceDoor, WriteOutcome, WriteRequest } from '../../twin/door.ts';
import { RejectedCertificates } from '../../worker/rejected-certificates.ts';
import { type Access, type GatewayServer, type GatewayServerOptions, openGatewayServer } from '../gateway-server.ts';
import type { ServerLimits } from '../server-limits.ts';
import type { ShownDevice } from '../space-plan.ts';
import { STANDARD_NODES } from './nodeset.ts';
import { makePair, type Pair, type Visit } from './opcua-peer.ts';

export interface ScratchServer extends AsyncDisposable {
  readonly server: GatewayServer;
  /** As which clients are known. */
  readonly pair: Pair;
  readonly refusals: RejectedCertificates;
  readonly written: WriteRequest[];
  readonly called: CommandRequest[];
  access: Access;
  /** What becomes of every write. */
  outcome: WriteOutcome['result'];
  /** What every command answers. */
  output: Readonly<Record<string, unknown>>;
  at(more?: Partial<Visit>): Visit;
}

const LIMITS: ServerLimits = {
  sessions: 5,
  subscriptionsPerSession: 5,
  monitoredItemsPerSubscription: 100,
  queueSize: 100,
  minSamplingIntervalMs: 0,
  messageBytes: 1024 * 1024,
};

const APPLICATION_URI = 'urn:skerry:hall:gate';

export const ENGINEER: UserIdentityInfo = { type: UserTokenType.UserName, userName: 'edda', password: 'calls' };

export async function openScratchServer(limits: Partial<ServerLimits> = {}): Promise<ScratchServer> {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-gateway-'));
  const pair = await makePair('client');
  const facts = { commonName: 'gate', applicationUri: APPLICATION_URI, hosts: ['127.0.0.1'] };
  const keyPair = await ownKeyPair(join(folder, 'own.pem'), facts, Date.now());
  const made: Omit<ScratchServer, 'server'> = {
    pair,
    refusals: new RejectedCertificates(),
    written: [],
    called: [],
    access: {
      anchors: readAnchors({ trusted: [pair.certificate], issuers: [], revocationLists: [] }),
      users: new Map([
        ['olga', 'Observer'],
        ['omar', 'Operator'],
        ['edda', 'Engineer'],
        ['ines', 'Observer'],
      ]),
      passwords: createPasswords(
        new Map([
          ['olga', 'reads'],
          ['omar', 'writes'],
          ['edda', 'calls'],
          ['ines', 'reads'],
        ]),
      ),
      certificateRole: 'Operator',
    },
    outcome: 'Confirmed',
    output: {},
    at: (more = {}) => ({ endpoint: server.endpointUrl, pair, ...more }),
    [Symbol.asyncDispose]: async () => {
      await server.close();
      rmSync(folder, { recursive: true });
    },
  };
  const server = await openGatewayServer({ ...OPTIONS, ...endsOf(made), keyPair, limits: { ...LIMITS, ...limits } });
  return Object.assign(made, { server });
}

const OPTIONS: Pick<
  GatewayServerOptions,
  'name' | 'namespace' | 'clock' | 'log' | 'nodeset' | 'endpoint' | 'neighbours'
> = {
  name: 'gate',
  namespace: 'hall',
  clock: systemClock,
  log: silentLogger,
  nodeset: STANDARD_NODES,
  neighbours: () => [],
  endpoint: {
    address: '127.0.0.1',
    port: 0,
    hostnames: [],
    applicationUri: APPLICATION_URI,
    namespaceUri: 'urn:hall',
    policies: ['None', 'Basic256Sha256', 'Aes128_Sha256_RsaOaep', 'Aes256_Sha256_RsaPss'],
    modes: ['Sign', 'SignAndEncrypt'],
    anonymous: true,
  },
};

function endsOf(made: Omit<ScratchServer, 'server'>): Pick<GatewayServerOptions, 'door' | 'access' | 'refusals'> {
  const door: DeviceDoor = {
    write: async (request) => {
      made.written.push(request);
      const names = Object.keys(request.values);
      return Object.fromEntries(names.map((name) => [name, { result: made.outcome, time: '' }]));
    },
    call: async (request) => {
      made.called.push(request);
      return made.output;
    },
  };
  return { door, access: () => made.access, refusals: made.refusals };
}

/** The model of this name; a test that gives one that does not resolve is wrong. */
export function modelOf(specs: Readonly<Record<string, DeviceModelSpec>>, name: string): ResolvedModel {
  const model = resolveModel(name, (each) => {
    const spec = specs[each];
    return spec === undefined ? undefined : ({ metadata: { name: each }, spec } as DeviceModel);
  });
  if (typeof model === 'string') throw new TypeError(`model ${name} ${model}`);
  return model;
}

/** With all that its model has. */
export function deviceOf(name: string, model: ResolvedModel): ShownDevice {
  return { name, model, properties: new Set(model.properties.keys()), commands: new Set(model.commands.keys()) };
}

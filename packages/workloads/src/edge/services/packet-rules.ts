/** Keeps this agent's own nftables table as it should be: whole at first, then change by change, each one transaction. */
import { type Logger, messageOf } from '@skerry/base';
import { findTool, type RunTool, runTool } from './host-tools.ts';
import type { AgentPlace } from './node-address.ts';
import { formatAdmission, formatChange, formatRemoval, formatRuleset, planRules, type Ruleset } from './ruleset.ts';
import { deletionOf, staleFlows } from './stale-flows.ts';

/** More at once are left to time out: each costs a process. */
const MAX_FLOWS_DELETED = 100;

export class PacketRules {
  readonly #place: AgentPlace;
  readonly #log: Logger;
  readonly #run: RunTool;
  /** What the kernel has, as we made it; undefined while that is another agent's work, or not known. */
  #current: Ruleset | undefined;

  constructor(place: AgentPlace, log: Logger, run: RunTool = runTool) {
    this.#place = place;
    this.#log = log;
    this.#run = run;
  }

  /** Takes over the table of the agent before, which goes by it until the first `apply`, or makes an empty one. */
  async open(seesBridged: boolean): Promise<void> {
    const { table, address } = this.#place;
    if (await this.isThere()) return;
    await this.apply({ frame: { table, address, podIps: [], seesBridged }, rules: planRules([]) });
  }

  async isThere(): Promise<boolean> {
    return this.#run('nft', ['list', 'chain', 'ip', this.#place.table, 'prerouting']).then(
      () => true,
      () => false,
    );
  }

  /** Lets pods in before their containers start, whatever else is not known yet. */
  async admit(ips: readonly string[]): Promise<void> {
    const current = this.#current;
    const fresh = ips.filter((ip) => !ip.includes(':') && current?.frame.podIps.includes(ip) !== true);
    if (fresh.length === 0) return;
    await this.#run('nft', ['-f', '-'], formatAdmission(this.#place.table, fresh));
    if (current === undefined) return;
    const { frame } = current;
    this.#current = { ...current, frame: { ...frame, podIps: [...frame.podIps, ...fresh] } };
  }

  async apply(wanted: Ruleset): Promise<void> {
    const before = this.#current;
    const text = before === undefined ? formatRuleset(wanted.frame, wanted.rules) : formatChange(before, wanted);
    if (text === '') return;
    try {
      await this.#run('nft', ['-f', '-'], text);
      this.#current = wanted;
    } catch (error) {
      // Whatever made it fail, such as somebody who emptied the kernel's tables: the next one is whole.
      this.#current = undefined;
      throw error;
    }
    if (before !== undefined) await this.#endStaleFlows(before, wanted);
  }

  /** What is there is no longer ours to build on. */
  forget(): void {
    this.#current = undefined;
  }

  remove(): Promise<string> {
    this.forget();
    return this.#run('nft', ['-f', '-'], formatRemoval(this.#place.table));
  }

  async #endStaleFlows(before: Ruleset, after: Ruleset): Promise<void> {
    const flows = staleFlows(before.rules, after.rules);
    if (flows.length === 0) return;
    if (findTool('conntrack') === undefined) {
      this.#log.warn(
        { flows: flows.length },
        'UDP flows to endpoints that left go on for a while: apt-get install conntrack',
      );
      return;
    }
    for (const flow of flows.slice(0, MAX_FLOWS_DELETED)) {
      // It also fails when there was no such flow.
      await this.#run('conntrack', deletionOf(flow)).catch((error: unknown) =>
        this.#log.debug({ error: messageOf(error) }, 'no flow ended'),
      );
    }
  }
}

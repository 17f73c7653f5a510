import type { Configuration, ConfigurationId } from '../../src/raft/configuration.ts';
import type { RaftEvent } from '../../src/raft/event.ts';
import { currentConfiguration } from '../../src/raft/membership.ts';
import type { MembershipChange } from '../../src/raft/membership-change.ts';
import type { Envelope } from '../../src/raft/message.ts';
import type { RaftOptions } from '../../src/raft/options.ts';
import { Cluster } from './cluster.ts';

/** A cluster whose membership changes. Replicas have one letter each: `founders` are in entry 1, `newcomers` empty. */
export class ChangingCluster extends Cluster {
  constructor(founders: string, newcomers = '', options: Partial<RaftOptions> = {}) {
    super([...founders, ...newcomers], { founders: [...founders], options });
  }

  change(id: string, change: MembershipChange, expected: ConfigurationId | null = null) {
    const result = this.core(id).proposeMembership(this.now, change, expected);
    this.drain(this.replica(id));
    return result;
  }

  abort(id: string) {
    const result = this.core(id).abortMembership(this.now);
    this.drain(this.replica(id));
    return result;
  }

  configurationOf(id: string): Configuration {
    return currentConfiguration(this.core(id).state);
  }

  /** `voters|outgoing|learners`, as letters. */
  membersAt(id: string): string {
    return namesIn(this.configurationOf(id));
  }

  /** All configurations that came into force on a replica, in order. */
  history(id: string): string[] {
    return this.eventsOf(id, 'configuration-changed').map(({ configuration }) => namesIn(configuration));
  }

  outcome(id: string): string | undefined {
    return this.eventsOf(id, 'membership-ended').at(-1)?.outcome;
  }

  eventsOf<Kind extends RaftEvent['kind']>(id: string, kind: Kind): Extract<RaftEvent, { kind: Kind }>[] {
    const { events } = this.replica(id);
    return events.filter((event): event is Extract<RaftEvent, { kind: Kind }> => event.kind === kind);
  }

  committedBy(id: string): number {
    return this.core(id).state.commitIndex;
  }

  /** Runs until `holds`, at most two minutes. */
  runUntil(holds: () => boolean, passes?: (envelope: Envelope) => boolean): void {
    for (let turn = 0; !holds(); turn += 1) {
      if (turn > 12_000) throw new Error('what was waited for does not come');
      this.run(10, passes);
    }
  }
}

export function namesIn({ voters, outgoing, learners }: Configuration): string {
  return [voters, outgoing, learners].map((set) => set.map(({ id }) => id).join('')).join('|');
}

/** Messages between these replicas pass, and no others. */
export function among(ids: string): (envelope: Envelope) => boolean {
  return ({ from, to }) => ids.includes(from.id) && ids.includes(to.id);
}

import type { Checker, Violation, WorldObservation } from '../../../lab/checkers/checker.ts';
import type { RottenFiles } from '../../../lab/scenario/scenario.ts';
import type { Observation } from '../../../src/node/observation.ts';
import type { Configuration } from '../../../src/raft/configuration.ts';
import { emptyConfiguration } from '../../../src/raft/configuration.ts';
import type { HardState, LogFloor, MissingEntries, WriteEffect } from '../../../src/raft/effect.ts';
import type { ConfigurationEntry, Entry, Index, Term, TermRun } from '../../../src/raft/entry.ts';
import type { Role } from '../../../src/raft/event.ts';
import type { MemberId, NodeId } from '../../../src/raft/identity.ts';
import type { Message } from '../../../src/raft/message.ts';
import type { SnapshotMeta } from '../../../src/raft/snapshot.ts';
import { noStall } from '../../../src/raft/stall.ts';
import type { RaftState } from '../../../src/raft/state.ts';
import type { LogDamage } from '../../../src/storage/contract.ts';

/** The member of a node whose disk was never emptied. */
export function memberOf(id: NodeId): MemberId {
  return { id, incarnation: `disk-of-${id}` };
}

/** @param id - `index.term` of the entry that brings it. */
export function votersOf(id: string, ...voters: readonly (NodeId | MemberId)[]): Configuration {
  return {
    id,
    voters: voters.map((voter) => {
      const member = typeof voter === 'string' ? memberOf(voter) : voter;
      return { ...member, address: member.id };
    }),
    outgoing: [],
    learners: [],
    retired: [],
  };
}

export const threeVoters: Configuration = votersOf('1.1', 'n1', 'n2', 'n3');

export function noop(index: Index, term: Term): Entry {
  return { kind: 'noop', index, term };
}

export function command(index: Index, term: Term, text = `${index}`): Entry {
  return { kind: 'command', index, term, payload: new TextEncoder().encode(text) };
}

export function configured(
  index: Index,
  term: Term,
  clusterId = 'c1',
  configuration = threeVoters,
): ConfigurationEntry {
  return { kind: 'configuration', index, term, clusterId, configuration };
}

/** Where a log begins: after this entry, with this configuration. */
export function floorAt(index: Index, term: Term, configuration = threeVoters): LogFloor {
  return { index, term, configuration };
}

export function snapshotAt(index: Index, term: Term, configuration = threeVoters): SnapshotMeta {
  return { index, term, configuration, size: 100, digest: 'd1' };
}

interface Seen {
  role?: Role;
  term: Term;
  vote?: NodeId | null;
  commit?: Index;
  applied?: Index;
  configuration?: Configuration;
  missing?: MissingEntries;
  nearlyFull?: boolean;
}

/**
 * What a cluster is seen to do, told one observation after another to one checker. Each method is one
 * observation, at the next millisecond; `violation` is the first thing the checker found.
 */
export class Stream {
  violation: Violation | null = null;
  readonly #checker: Checker;
  readonly #boots = new Map<NodeId, number>();
  readonly #members = new Map<NodeId, MemberId>();
  /** The configuration last written to or recovered from each log. */
  readonly #configurations = new Map<NodeId, Configuration>();
  #atMs = 0;
  #sequence = 0;

  readonly #rots: boolean;

  /** @param options.rots - before each observation the disk of that replica rots, and nobody reads there. */
  constructor(checker: Checker, options: { readonly rots?: boolean } = {}) {
    this.#checker = checker;
    this.#rots = options.rots ?? false;
  }

  /**
   * @param seen.log - the terms of what was recovered, from entry 1 on, or from the one after the floor.
   * @param seen.as - the replica's id, where it is not that of the machine: a double.
   */
  opened(
    machine: NodeId,
    seen: {
      as?: NodeId;
      floor?: LogFloor;
      /** Entry 1, where none are given and the log has one. */
      configurations?: readonly ConfigurationEntry[];
      term?: Term;
      vote?: NodeId | null;
      log?: readonly Term[];
      applied?: Index;
      boot?: number;
      incarnation?: string;
      /** By the hard state that was recovered. */
      missing?: MissingEntries;
      damage?: Omit<LogDamage, 'report'>;
    } = {},
  ): this {
    const { as: id = machine, term = 0, vote = null, log = [], applied = 0 } = seen;
    const { incarnation = memberOf(id).incarnation, floor = { index: 0, term: 0, configuration: null } } =
      seen;
    const { missing, damage } = seen;
    const boot = seen.boot ?? (this.#boots.get(machine) ?? 0) + 1;
    this.#boots.set(machine, boot);
    this.#members.set(machine, { id, incarnation });
    const runs: TermRun[] = [];
    log.forEach((entryTerm, at) => {
      const firstIndex = floor.index + at + 1;
      if (runs.at(-1)?.term !== entryTerm) runs.push({ term: entryTerm, firstIndex });
    });
    const whole = log.length > 0 && floor.index === 0;
    const { configurations = whole ? [configured(1, log[0] ?? 1)] : [] } = seen;
    const inForce = configurations.at(-1)?.configuration ?? floor.configuration;
    if (inForce) this.#configurations.set(machine, inForce);
    else this.#configurations.delete(machine);
    return this.#tell(machine, {
      kind: 'opened',
      identity: { id, incarnation, boot, clusterId: 'c1' },
      recovered: {
        hardState: hardStateOf({ term, vote, missing }),
        floor,
        lastIndex: floor.index + log.length,
        runs,
        configurations,
        damage: damage === undefined ? null : { ...damage, report: 'block 2' },
      },
      appliedIndex: applied,
    });
  }

  /** Hands a write to the storage. */
  wrote(
    id: NodeId,
    what: {
      term?: Term;
      vote?: NodeId | null;
      missing?: MissingEntries;
      cutFrom?: Index;
      entries?: readonly Entry[];
      floor?: LogFloor;
    },
  ): this {
    this.#sequence += 1;
    const { term, vote = null, missing, cutFrom, entries = [], floor } = what;
    const brought = entries.findLast((entry) => entry.kind === 'configuration');
    const inForce = brought?.configuration ?? floor?.configuration;
    if (inForce) this.#configurations.set(id, inForce);
    const write: WriteEffect = {
      kind: 'write',
      writeId: { boot: this.#boot(id), sequence: this.#sequence },
      ...(term === undefined ? {} : { hardState: hardStateOf({ term, vote, missing }) }),
      ...(cutFrom === undefined ? {} : { cutFrom }),
      entries,
      ...(floor === undefined ? {} : { floor }),
    };
    return this.#tell(id, { kind: 'write', write });
  }

  /** Acknowledges every write of the replica so far. */
  persisted(id: NodeId): this {
    return this.#tell(id, {
      kind: 'persisted',
      writeId: { boot: this.#boot(id), sequence: this.#sequence },
    });
  }

  wroteDurably(id: NodeId, what: Parameters<Stream['wrote']>[1]): this {
    return this.wrote(id, what).persisted(id);
  }

  step(id: NodeId, seen: Seen): this {
    const {
      role = 'follower',
      term,
      vote = null,
      commit = 0,
      applied = 0,
      missing,
      nearlyFull = false,
      configuration = this.#configurations.get(id) ?? emptyConfiguration,
    } = seen;
    // What no checker looks at is left out, so that these streams do not change with the core's insides.
    const state: Partial<RaftState> = {
      self: { ...this.#member(id), boot: this.#boot(id) },
      role,
      hardState: hardStateOf({ term, vote, missing }),
      commitIndex: commit,
      appliedIndex: applied,
      stall: { ...noStall, diskNearlyFull: nearlyFull },
      configurations: [{ index: Number.parseInt(configuration.id, 10), configuration }],
    };
    return this.#tell(id, { kind: 'step', state: state as RaftState });
  }

  sent(from: NodeId, to: NodeId, message: Message): this {
    return this.#tell(from, {
      kind: 'sent',
      envelope: {
        clusterId: 'c1',
        group: 'main',
        from: { ...this.#member(from), boot: this.#boot(from) },
        to: memberOf(to),
        message,
      },
    });
  }

  received(to: NodeId, from: NodeId, message: Message): this {
    return this.#tell(to, {
      kind: 'received',
      envelope: {
        clusterId: 'c1',
        group: 'main',
        from: { ...this.#member(from), boot: this.#boot(from) },
        to: this.#member(to),
        message,
      },
    });
  }

  snapshotStored(id: NodeId, meta: SnapshotMeta, origin: 'taken' | 'received' = 'taken'): this {
    return this.#tell(id, { kind: 'snapshot-stored', meta, origin });
  }

  restored(id: NodeId, meta: SnapshotMeta): this {
    return this.#tell(id, { kind: 'restored', meta });
  }

  compacted(id: NodeId, index: Index): this {
    return this.#tell(id, { kind: 'raft-event', event: { kind: 'log-compacted', index } });
  }

  applied(id: NodeId, ...entries: readonly Entry[]): this {
    for (const entry of entries) this.#tell(id, { kind: 'applied', entry, result: null });
    return this;
  }

  becameLeader(id: NodeId, term: Term): this {
    const event = { kind: 'role-changed', term, role: 'leader', reason: 'elected' } as const;
    return this.#tell(id, { kind: 'raft-event', event });
  }

  /** Peers gave back what was missing, up to this entry. */
  repaired(id: NodeId, from: Index, to: Index): this {
    return this.#tell(id, { kind: 'raft-event', event: { kind: 'log-repaired', from, to } });
  }

  rotted(id: NodeId, what: RottenFiles = 'blocks'): this {
    return this.#observe({ replica: id, kind: 'rotted', what, places: 1 });
  }

  writeFailed(id: NodeId): this {
    return this.#tell(id, { kind: 'write-failed', error: new Error('ENOSPC') });
  }

  stopped(id: NodeId): this {
    return this.#tell(id, { kind: 'stopped', error: null });
  }

  crashed(id: NodeId): this {
    return this.#observe({ replica: id, kind: 'crashed', power: true });
  }

  /** The process died before. */
  wiped(id: NodeId): this {
    return this.#observe({ replica: id, kind: 'wiped' });
  }

  /** The process died before. */
  rolledBack(id: NodeId): this {
    return this.#observe({ replica: id, kind: 'rolled-back' });
  }

  finish(): this {
    this.#atMs += 1;
    this.violation ??= this.#checker.finish(this.#atMs);
    return this;
  }

  #tell(replica: NodeId, observation: Observation): this {
    return this.#observe({ replica, kind: 'replica', observation });
  }

  #observe(world: WithoutTime<WorldObservation>): this {
    if (this.#rots && world.kind !== 'rotted') this.rotted(world.replica);
    this.#atMs += 1;
    this.violation ??= this.#checker.observe({ atMs: this.#atMs, ...world });
    return this;
  }

  #boot(id: NodeId): number {
    return this.#boots.get(id) ?? 1;
  }

  #member(machine: NodeId): MemberId {
    return this.#members.get(machine) ?? memberOf(machine);
  }
}

function hardStateOf({
  term,
  vote,
  missing,
}: {
  readonly term: Term;
  readonly vote: NodeId | null;
  readonly missing: MissingEntries | undefined;
}): HardState {
  const votedFor = vote === null ? null : memberOf(vote);
  return missing === undefined ? { term, votedFor } : { term, votedFor, missing };
}

type WithoutTime<One> = One extends unknown ? Omit<One, 'atMs'> : never;

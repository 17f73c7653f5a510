import type { Checker, Violation } from '../../../lab/checkers/checker.ts';
import type { Observation } from '../../../src/node/observation.ts';
import type { Configuration } from '../../../src/raft/configuration.ts';
import type { WriteEffect } from '../../../src/raft/effect.ts';
import type { Entry, Index, Term, TermRun } from '../../../src/raft/entry.ts';
import type { Role } from '../../../src/raft/event.ts';
import type { MemberId, NodeId } from '../../../src/raft/identity.ts';
import type { Message } from '../../../src/raft/message.ts';
import type { RaftState } from '../../../src/raft/state.ts';

/** The member of a node whose disk was never emptied. */
export function memberOf(id: NodeId): MemberId {
  return { id, incarnation: `disk-of-${id}` };
}

export const threeVoters: Configuration = {
  voters: ['n1', 'n2', 'n3'].map((id) => ({ ...memberOf(id), address: id })),
  outgoing: [],
  learners: [],
};

export function noop(index: Index, term: Term): Entry {
  return { kind: 'noop', index, term };
}

export function command(index: Index, term: Term, text = `${index}`): Entry {
  return { kind: 'command', index, term, payload: new TextEncoder().encode(text) };
}

export function configured(index: Index, term: Term, clusterId = 'c1'): Entry {
  return { kind: 'configuration', index, term, clusterId, configuration: threeVoters };
}

interface Seen {
  role?: Role;
  term: Term;
  vote?: NodeId | null;
  commit?: Index;
  applied?: Index;
  configuration?: Configuration;
}

/**
 * What a cluster is seen to do, told one observation after another to one checker. Each method is one
 * observation, at the next millisecond; `violation` is the first thing the checker found.
 */
export class Stream {
  violation: Violation | null = null;
  readonly #checker: Checker;
  readonly #boots = new Map<NodeId, number>();
  #atMs = 0;
  #sequence = 0;

  constructor(checker: Checker) {
    this.#checker = checker;
  }

  /** @param log - the terms of what was recovered, from entry 1 on. */
  opened(
    id: NodeId,
    seen: {
      term?: Term;
      vote?: NodeId | null;
      log?: readonly Term[];
      applied?: Index;
      boot?: number;
      incarnation?: string;
    } = {},
  ): this {
    const { term = 0, vote = null, log = [], applied = 0, incarnation = memberOf(id).incarnation } = seen;
    const boot = seen.boot ?? (this.#boots.get(id) ?? 0) + 1;
    this.#boots.set(id, boot);
    const runs: TermRun[] = [];
    log.forEach((entryTerm, at) => {
      if (runs.at(-1)?.term !== entryTerm) runs.push({ term: entryTerm, firstIndex: at + 1 });
    });
    return this.#tell(id, {
      kind: 'opened',
      identity: { id, incarnation, boot, clusterId: 'c1' },
      recovered: {
        hardState: { term, votedFor: vote === null ? null : memberOf(vote) },
        floor: { index: 0, term: 0, configuration: null },
        lastIndex: log.length,
        runs,
        configurations: [],
      },
      appliedIndex: applied,
    });
  }

  /** Hands a write to the storage. */
  wrote(
    id: NodeId,
    what: { term?: Term; vote?: NodeId | null; cutFrom?: Index; entries?: readonly Entry[] },
  ): this {
    this.#sequence += 1;
    const { term, vote = null, cutFrom, entries = [] } = what;
    const write: WriteEffect = {
      kind: 'write',
      writeId: { boot: this.#boot(id), sequence: this.#sequence },
      ...(term === undefined ? {} : { hardState: { term, votedFor: vote === null ? null : memberOf(vote) } }),
      ...(cutFrom === undefined ? {} : { cutFrom }),
      entries,
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
      configuration = threeVoters,
    } = seen;
    // What no checker looks at is left out, so that these streams do not change with the core's insides.
    const state: Partial<RaftState> = {
      self: { ...memberOf(id), boot: this.#boot(id) },
      role,
      hardState: { term, votedFor: vote === null ? null : memberOf(vote) },
      commitIndex: commit,
      appliedIndex: applied,
      configurations: [{ index: 1, configuration }],
    };
    return this.#tell(id, { kind: 'step', state: state as RaftState });
  }

  sent(from: NodeId, to: NodeId, message: Message): this {
    return this.#tell(from, {
      kind: 'sent',
      envelope: {
        clusterId: 'c1',
        group: 'main',
        from: { ...memberOf(from), boot: this.#boot(from) },
        to: memberOf(to),
        message,
      },
    });
  }

  applied(id: NodeId, ...entries: readonly Entry[]): this {
    for (const entry of entries) this.#tell(id, { kind: 'applied', entry, result: null });
    return this;
  }

  becameLeader(id: NodeId, term: Term): this {
    const event = { kind: 'role-changed', term, role: 'leader', reason: 'elected' } as const;
    return this.#tell(id, { kind: 'raft-event', event });
  }

  stopped(id: NodeId): this {
    return this.#tell(id, { kind: 'stopped', error: null });
  }

  crashed(id: NodeId): this {
    this.#atMs += 1;
    const atMs = this.#atMs;
    this.violation ??= this.#checker.observe({ atMs, replica: id, kind: 'crashed', power: true });
    return this;
  }

  finish(): this {
    this.#atMs += 1;
    this.violation ??= this.#checker.finish(this.#atMs);
    return this;
  }

  #tell(replica: NodeId, observation: Observation): this {
    this.#atMs += 1;
    this.violation ??= this.#checker.observe({
      atMs: this.#atMs,
      replica,
      kind: 'replica',
      observation,
    });
    return this;
  }

  #boot(id: NodeId): number {
    return this.#boots.get(id) ?? 1;
  }
}

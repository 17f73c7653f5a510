import type { Configuration } from '../../src/raft/configuration.ts';
import type {
  AbandonSnapshotEffect,
  ApplyEffect,
  HardState,
  LoadEffect,
  LoadSnapshotEffect,
  LogFloor,
  ReadGrantedEffect,
  ReceiveSnapshotEffect,
  RestoreEffect,
  WriteEffect,
} from '../../src/raft/effect.ts';
import type { Entry, Index } from '../../src/raft/entry.ts';
import type { RaftEvent } from '../../src/raft/event.ts';
import { checkInvariants, checkWholeLog } from '../../src/raft/invariants.ts';
import type { Envelope, Message } from '../../src/raft/message.ts';
import type { RaftOptions } from '../../src/raft/options.ts';
import { defaultRaftOptions } from '../../src/raft/options.ts';
import { Raft } from '../../src/raft/raft.ts';
import type { SnapshotMeta } from '../../src/raft/snapshot.ts';
import { noFloor } from './fake-disk.ts';
import { clusterId, configurationEntry, group, replica, runsOf, votersOf } from './sample-log.ts';
import { seeded } from './seeded.ts';

/** One core with a message box: says what comes, sees what goes. */
export class Single {
  now = 0;
  readonly core: Raft;
  readonly sent: Envelope[] = [];
  readonly events: RaftEvent[] = [];
  readonly writes: WriteEffect[] = [];
  readonly applies: ApplyEffect[] = [];
  readonly loads: LoadEffect[] = [];
  readonly snapshotLoads: LoadSnapshotEffect[] = [];
  readonly chunks: ReceiveSnapshotEffect[] = [];
  readonly abandoned: AbandonSnapshotEffect[] = [];
  readonly restores: RestoreEffect[] = [];
  readonly reads: ReadGrantedEffect[] = [];

  constructor(
    settings: {
      readonly configuration?: Configuration;
      /** Those after the floor. */
      readonly entries?: readonly Entry[];
      readonly floor?: LogFloor;
      readonly snapshot?: SnapshotMeta;
      readonly hardState?: HardState;
      readonly appliedIndex?: Index;
      readonly options?: Partial<RaftOptions>;
      readonly boot?: number;
      readonly cluster?: string | null;
    } = {},
  ) {
    const entries = settings.entries ?? [
      configurationEntry(settings.configuration ?? votersOf('n1', 'n2', 'n3')),
    ];
    const floor = settings.floor ?? noFloor;
    this.core = new Raft(
      {
        self: replica('n1', settings.boot ?? 1),
        group,
        clusterId: settings.cluster === undefined ? clusterId : settings.cluster,
        options: { ...defaultRaftOptions, ...settings.options },
        now: 0,
        recovered: {
          hardState: settings.hardState ?? { term: entries.at(-1)?.term ?? 0, votedFor: null },
          floor,
          lastIndex: floor.index + entries.length,
          runs: runsOf(entries),
          configurations: entries.filter((entry) => entry.kind === 'configuration'),
        },
        snapshot: settings.snapshot ?? null,
        appliedIndex: settings.appliedIndex ?? settings.snapshot?.index ?? 0,
      },
      seeded(1),
    );
    this.drain();
  }

  get state(): Raft['state'] {
    return this.core.state;
  }

  hear(from: string, message: Message, boot = 1): this {
    return this.hearEnvelope({
      clusterId,
      group,
      from: replica(from, boot),
      to: { id: 'n1', incarnation: 'n1-incarnation' },
      message,
    });
  }

  hearEnvelope(envelope: Envelope): this {
    this.core.receive(this.now, envelope);
    return this.drain();
  }

  /** Time passes. */
  at(now: number): this {
    this.now = now;
    this.core.tick(now);
    return this.drain();
  }

  /** Every write issued so far is durable. */
  persistAll(): this {
    for (;;) {
      const last = this.writes.at(-1);
      if (last === undefined) return this;
      this.writes.length = 0;
      this.core.persisted(this.now, last.writeId);
      this.drain();
    }
  }

  persist(write: WriteEffect): this {
    this.core.persisted(this.now, write.writeId);
    return this.drain();
  }

  drain(): this {
    for (const effect of this.core.takeEffects()) {
      if (effect.kind === 'send') this.sent.push(effect.envelope);
      else if (effect.kind === 'event') this.events.push(effect.event);
      else if (effect.kind === 'write') this.writes.push(effect);
      else if (effect.kind === 'apply') this.applies.push(effect);
      else if (effect.kind === 'load') this.loads.push(effect);
      else if (effect.kind === 'load-snapshot') this.snapshotLoads.push(effect);
      else if (effect.kind === 'receive-snapshot') this.chunks.push(effect);
      else if (effect.kind === 'abandon-snapshot') this.abandoned.push(effect);
      else if (effect.kind === 'read-granted') this.reads.push(effect);
      else this.restores.push(effect);
    }
    const findings = [...checkInvariants(this.state), ...checkWholeLog(this.state)];
    if (findings.length > 0) throw new Error(findings.join('\n'));
    return this;
  }

  /** What was sent since the last call. */
  said(): Message[] {
    return this.sent.splice(0).map(({ message }) => message);
  }

  /** Waits out the silence and the election timeout, and wins with n2's vote. */
  lead(): this {
    this.at(this.core.deadline ?? this.now);
    if (this.state.role === 'pre-candidate') {
      this.hear('n2', { kind: 'PreVoteResponse', term: this.state.hardState.term + 1, granted: true });
    }
    this.persistAll();
    this.hear('n2', { kind: 'VoteResponse', term: this.state.hardState.term, granted: true });
    this.persistAll();
    this.said();
    return this;
  }
}

import type { SessionOutcome } from '../../src/node/sessions/session-table.ts';
import type { Index } from '../../src/raft/entry.ts';
import type { NodeId } from '../../src/raft/identity.ts';
import { describeOperation } from '../workload/describe-operation.ts';
import type { History } from '../workload/history.ts';
import { isKvCommand } from '../workload/kv.ts';
import { type Applied, commandIn } from './applied-command.ts';
import type { Checker, Violation, WorldObservation } from './checker.ts';
import type { StateDigest } from './replica-equality.ts';

export interface ExactlyOnceOptions {
  readonly history: History;
  /** The codecs by which the replicas encode commands and keep results. */
  readonly decodeCommand: (payload: Uint8Array) => unknown;
  readonly decodeResult: (result: Uint8Array) => unknown;
  /** Of the replica's present state machine; null when it runs none. */
  readonly digestOf: (replica: NodeId) => Pick<StateDigest, 'appliedIndex'> | null;
}

/**
 * What a client does in a session takes effect once, however often it is sent, and every answer is the first
 * result. Whether an entry took effect is asked of the state machine itself, not of the table of sessions, whose
 * claims are held against it, and against those of the other replicas for the same entry; commands are recognised by their values, of which the workload uses each once, not
 * by session and sequence. At the end: what was acknowledged took effect, with the result that the client was
 * told; what failed did not.
 *
 * Does not check: that an unknown outcome is avoidable, or that a retry is answered at all.
 */
export class ExactlyOnce implements Checker {
  readonly name = 'exactly-once';
  readonly property =
    'A command of a session takes effect once if acknowledged, never twice, and its answers are the first (6.3).';
  readonly #options: ExactlyOnceOptions;
  /** By the command's value. */
  readonly #effects = new Map<number, Effect>();
  /** What became of each entry of a session, by the first replica that applied it. */
  readonly #outcomes = new Map<Index, { readonly outcome: string; readonly firstBy: NodeId }>();

  constructor(options: ExactlyOnceOptions) {
    this.#options = options;
  }

  observe(world: WorldObservation): Violation | null {
    if (world.kind !== 'replica' || world.observation.kind !== 'applied') return null;
    const sentence = this.#judge(world.replica, world.observation);
    return sentence === null ? null : { checker: this.name, sentence, atMs: world.atMs };
  }

  finish(atMs: number): Violation | null {
    for (const operation of this.#options.history.operations) {
      const { call, outcome } = operation;
      if (call.kind === 'read') continue;
      const effect = this.#effects.get(call.value);
      const what = describeOperation(operation);
      let sentence: string | null = null;
      if (outcome?.kind === 'failed' && effect !== undefined) {
        sentence = `${what} said that it had no effect, and ${effect.firstBy} applied it as entry ${effect.index}`;
      } else if (outcome?.kind === 'ok') {
        const told = JSON.stringify(outcome.result);
        if (effect === undefined) sentence = `${what} was acknowledged, and no replica applied it`;
        else if (told !== effect.result) {
          sentence = `${what} was answered ${told}; its first result was ${effect.result}, of entry ${effect.index}`;
        }
      }
      if (sentence !== null) return { checker: this.name, sentence, atMs };
    }
    return null;
  }

  #judge(replica: NodeId, { entry, result }: Applied): string | null {
    if (entry.kind !== 'session') return null;
    const outcome = result as SessionOutcome;
    const tookEffect = this.#options.digestOf(replica)?.appliedIndex === entry.index;
    const at = `${replica}, at entry ${entry.index},`;
    const others = this.#differs(replica, entry.index, outcome);
    if (others !== null) return `${at} ${others}`;
    if (tookEffect !== (outcome.kind === 'executed')) {
      return `${at} calls it ${outcome.kind}, and its state machine was ${tookEffect ? 'given' : 'given no'} command`;
    }
    if (outcome.kind !== 'executed' && outcome.kind !== 'repeated') return null;
    const payload = commandIn(entry.payload);
    const command = payload === null ? null : this.#options.decodeCommand(payload);
    if (!isKvCommand(command)) return `${at} applied what is no command of the workload`;
    const what = `the command that sets ${command.key} to ${command.value}`;
    const said = JSON.stringify(this.#options.decodeResult(outcome.result));
    const effect = this.#effects.get(command.value);
    if (outcome.kind === 'executed') {
      if (effect === undefined) {
        this.#effects.set(command.value, { index: entry.index, result: said, firstBy: replica });
        return null;
      }
      if (effect.index !== entry.index) {
        return `${what} took effect twice: as entry ${effect.index} and, on ${replica}, as entry ${entry.index}`;
      }
    }
    if (effect === undefined) return `${at} answered ${what} with ${said}, and nobody ever applied it`;
    if (effect.result === said) return null;
    return `${at} answered ${what} with ${said}; its first result was ${effect.result}, of entry ${effect.index}`;
  }

  #differs(replica: NodeId, index: Index, outcome: SessionOutcome): string | null {
    const here = 'reason' in outcome ? `${outcome.kind} (${outcome.reason})` : outcome.kind;
    const known = this.#outcomes.get(index);
    if (known === undefined) this.#outcomes.set(index, { outcome: here, firstBy: replica });
    else if (known.outcome !== here) return `calls it ${here}, and ${known.firstBy} ${known.outcome}`;
    return null;
  }
}

interface Effect {
  readonly index: Index;
  /** As JSON. */
  readonly result: string;
  readonly firstBy: NodeId;
}

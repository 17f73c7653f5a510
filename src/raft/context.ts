import type { Effect } from './effect.ts';
import type { DropReason, RaftEvent } from './event.ts';
import type { MemberId, NodeId, RequestId } from './identity.ts';
import type { Envelope, Message } from './message.ts';
import type { RandomSource } from './options.ts';
import type { RaftState } from './state.ts';

/** What every function of the core works on: the state it changes and the effects it leaves behind. */
export interface Context {
  readonly state: RaftState;
  readonly random: RandomSource;
  /** Since the last `takeEffects()`. */
  effects: Effect[];
}

export function emit(context: Context, event: RaftEvent): void {
  context.effects.push({ kind: 'event', event });
}

export function send(context: Context, to: MemberId, message: Message): void {
  context.effects.push({ kind: 'send', envelope: envelopeOf(context.state, to, message) });
}

/** @param to - whatever else is known of it stays out of the message. */
export function envelopeOf(
  { clusterId, group, self }: Pick<RaftState, 'clusterId' | 'group' | 'self'>,
  to: Envelope['to'],
  message: Message,
): Envelope {
  return { clusterId, group, from: self, to: { id: to.id, incarnation: to.incarnation }, message };
}

/** A message that is not acted upon is counted and observable, never an error. */
export function drop(context: Context, from: NodeId, reason: DropReason): void {
  const { drops } = context.state;
  drops[reason] = (drops[reason] ?? 0) + 1;
  emit(context, { kind: 'message-dropped', from, reason });
}

export function nextRequestId(state: RaftState): RequestId {
  state.lastSequence += 1;
  return { boot: state.self.boot, sequence: state.lastSequence };
}

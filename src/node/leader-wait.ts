import type { EventEmitter } from 'node:events';
import type { Clock } from '../doors/clock.ts';
import type { NodeId } from '../raft/identity.ts';
import { Closed, ReadFailed } from './errors.ts';
import type { RaftNodeEvents } from './events.ts';
import { Request, type RequestOptions } from './request.ts';

/** What is asked of the node that waits. */
export interface LeaderSource {
  leader(): { id: NodeId; address: string } | null;
  /** undefined while it runs; then why it stopped. */
  stopped(): Error | null | undefined;
}

/** Resolves once a leader is known, with its id and address. @throws ReadFailed, Closed */
export function waitForLeader(
  node: EventEmitter<RaftNodeEvents>,
  source: LeaderSource,
  clock: Clock,
  { timeoutMs, signal }: RequestOptions & { readonly timeoutMs: number },
): Promise<{ id: NodeId; address: string }> {
  const request = new Request<{ id: NodeId; address: string }>(
    clock,
    { timeoutMs, signal },
    (_inLog, why, cause) => new ReadFailed(`no leader was known: ${why}`, { cause }),
    () => node.off('leader-changed', look).off('configuration-changed', look).off('stopped', onStopped),
  );
  const look = (): void => {
    const leader = source.leader();
    if (leader !== null) request.succeed(leader);
  };
  const onStopped = (): void => request.fail(new Closed(source.stopped() ?? null));
  // The leader's address comes with the configuration, which may follow it.
  node.on('leader-changed', look).on('configuration-changed', look).on('stopped', onStopped);
  if (source.stopped() !== undefined) onStopped();
  else if (signal?.aborted === true) {
    request.fail(new ReadFailed('aborted by the caller', { cause: signal.reason }));
  } else look();
  return request.promise;
}

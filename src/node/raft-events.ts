import type { RaftEvent } from '../raft/event.ts';
import type { RaftNodeEvents } from './events.ts';

/**
 * Passes what the core told on to whoever listens to the node. Left out: what happens with every message, and
 * the configuration, which the node tells itself, since it also comes with an opened log.
 */
export function tellRaftEvent(
  event: RaftEvent,
  emit: <Name extends keyof RaftNodeEvents>(name: Name, ...args: RaftNodeEvents[Name]) => void,
): void {
  switch (event.kind) {
    case 'role-changed':
      emit('role-changed', event);
      break;
    case 'leader-changed':
      emit('leader-changed', event);
      break;
    case 'log-truncated':
      emit('log-truncated', event);
      break;
    case 'clock-anomaly':
      emit('clock-anomaly', event);
      break;
    case 'membership-progress':
      emit('membership-progress', event);
      break;
    case 'membership-ended':
      emit('membership-ended', event);
      break;
    case 'newcomer':
      emit('newcomer', event);
      break;
    case 'removed':
      emit('removed', event);
      break;
    case 'snapshot-transfer':
      emit('snapshot-transfer', event);
      break;
    case 'snapshot-installed':
      emit('snapshot-installed', event);
      break;
    case 'log-compacted':
      emit('log-compacted', event);
      break;
    case 'leadership-transfer-begun':
      emit('leadership-transfer-begun', event);
      break;
    case 'leadership-transfer-ended':
      emit('leadership-transfer-ended', event);
      break;
    case 'no-transfer-target':
      emit('no-transfer-target', event);
  }
}

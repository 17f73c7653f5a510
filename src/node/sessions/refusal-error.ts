import { SessionExpired, SessionRefused } from '../errors.ts';
import type { SessionOutcome } from './session-table.ts';

export type RefusedOutcome = Extract<SessionOutcome, { readonly kind: 'refused' }>;

/** How a caller is told, and counted, what the table refused. */
export function refusalError(
  { reason, why }: RefusedOutcome,
  isOnlyAttempt: boolean,
): SessionExpired | SessionRefused {
  return reason === 'beyond-window' || reason === 'malformed'
    ? new SessionRefused(reason, why, isOnlyAttempt)
    : new SessionExpired(reason, why, isOnlyAttempt);
}

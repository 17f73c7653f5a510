import type { Observation } from '../../src/node/observation.ts';
import { parseSessionRecord } from '../../src/node/sessions/session-record.ts';
import type { SessionOutcome } from '../../src/node/sessions/session-table.ts';

/** An entry that was applied, and what the replica says became of it. */
export type Applied = Extract<Observation, { readonly kind: 'applied' }>;

/** The command that the state machine was given with this entry, by what the replica says; null: none. */
export function appliedCommand({ entry, result }: Applied): Uint8Array | null {
  if (entry.kind === 'command') return entry.payload;
  if (entry.kind !== 'session' || (result as SessionOutcome).kind !== 'executed') return null;
  return commandIn(entry.payload);
}

/** The command that an entry of a session carries, applied or not; null when it carries none. */
export function commandIn(payload: Uint8Array): Uint8Array | null {
  const record = parseSessionRecord(payload);
  return record.kind === 'command' ? record.command : null;
}

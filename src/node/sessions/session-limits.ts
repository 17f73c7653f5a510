import { shown } from '../../raft/option-mistakes.ts';
import type { SessionLimits } from './session-record.ts';

/**
 * What bounds the sessions of clients. Each session is opened with the settings of the leader of that moment,
 * which travel in the log: replicas with other settings apply the same. They should be equal everywhere
 * nevertheless, or it depends on who leads what a session gets.
 */
export interface SessionSettings {
  /** A session that sends nothing for longer is expired; milliseconds. Default 3,600,000 (an hour). */
  readonly sessionTimeoutMs?: number;
  /** Sessions kept; one more evicts the one least recently active. Default 10,000. */
  readonly sessionsMax?: number;
  /** Commands of one session without an answer at the same time, 65,536 at most. Default 128. */
  readonly sessionWindow?: number;
  /** Bytes of results kept for retries, of all sessions together; the oldest go first. Default 64 MiB. */
  readonly sessionResultBytesMax?: number;
  /**
   * By how much one log entry moves the time that sessions expire by; milliseconds, a quarter of
   * `sessionTimeoutMs` at most. While there are sessions and nobody uses them, the leader appends a small entry
   * every half of it. Default 10,000, or that quarter where it is less.
   */
  readonly sessionTimeStepMaxMs?: number;
}

const WINDOW_MAX = 65_536;

export function resolveSessionLimits(settings: SessionSettings): SessionLimits {
  const timeoutMs = settings.sessionTimeoutMs ?? 3_600_000;
  return {
    timeoutMs,
    window: settings.sessionWindow ?? 128,
    sessionsMax: settings.sessionsMax ?? 10_000,
    resultBytesMax: settings.sessionResultBytesMax ?? 64 * 1024 * 1024,
    timeStepMaxMs: settings.sessionTimeStepMaxMs ?? Math.min(10_000, Math.floor(timeoutMs / 4)),
  };
}

export function sessionMistakes(settings: SessionSettings): string[] {
  const names = [
    'sessionTimeoutMs',
    'sessionsMax',
    'sessionWindow',
    'sessionResultBytesMax',
    'sessionTimeStepMaxMs',
  ] as const;
  const wrong = names.filter((name) => {
    const value: unknown = settings[name];
    return value !== undefined && !(Number.isSafeInteger(value) && Number(value) > 0);
  });
  if (wrong.length > 0)
    return wrong.map((name) => `${name}: ${shown(settings[name])} is no positive integer`);
  const { timeoutMs, window, timeStepMaxMs } = resolveSessionLimits(settings);
  const mistakes: string[] = [];
  if (window > WINDOW_MAX) mistakes.push(`sessionWindow: ${window} is more than ${WINDOW_MAX}`);
  // So that no single entry can expire a session that was active a little before it.
  if (timeoutMs < 4) mistakes.push(`sessionTimeoutMs: ${timeoutMs} is less than 4`);
  else if (timeStepMaxMs * 4 > timeoutMs) {
    mistakes.push(
      `sessionTimeStepMaxMs: ${timeStepMaxMs} is more than a quarter of sessionTimeoutMs (${timeoutMs})`,
    );
  }
  return mistakes;
}

import type { Operation } from './history.ts';

/** A stretch of time in which clients wanted something and nothing was acknowledged. */
export interface Outage {
  readonly fromMs: number;
  readonly toMs: number;
  readonly durationMs: number;
}

/** The longest one, or null when nothing was ever asked. */
export function longestOutage(operations: readonly Operation[], untilMs: number): Outage | null {
  let longest: Outage | null = null;
  for (const outage of outages(operations, untilMs)) {
    if (longest === null || outage.durationMs > longest.durationMs) longest = outage;
  }
  return longest;
}

/**
 * All of them, in order. Only an acknowledgement ends a stretch: clients that give up and pause before the next
 * attempt do not make a dead cluster available. It begins with the last acknowledgement if someone was waiting
 * then, else with the next call.
 *
 * @param untilMs - when the observation ends; operations still running wait until then.
 */
export function outages(operations: readonly Operation[], untilMs: number): Outage[] {
  const moments: { readonly atMs: number; readonly sequence: number; readonly kind: MomentKind }[] = [];
  for (const { calledAtMs, calledSequence, outcome } of operations) {
    moments.push({ atMs: calledAtMs, sequence: calledSequence, kind: 'call' });
    if (outcome === null) continue;
    const kind = outcome.kind === 'ok' ? 'acknowledged' : 'given up';
    moments.push({ atMs: outcome.atMs, sequence: outcome.sequence, kind });
  }
  moments.sort((a, b) => a.sequence - b.sequence);

  const found: Outage[] = [];
  let waiting = 0;
  let sinceMs: number | null = null;
  let lastGaveUpMs: number | null = null;
  const close = (toMs: number): void => {
    if (sinceMs === null) return;
    // Clocks count microseconds; a difference of their fractions is rounded to them again.
    found.push({ fromMs: sinceMs, toMs, durationMs: Math.round((toMs - sinceMs) * 1000) / 1000 });
  };
  for (const { atMs, kind } of moments) {
    if (kind === 'call') {
      waiting += 1;
      sinceMs ??= atMs;
      continue;
    }
    waiting -= 1;
    if (kind === 'given up') {
      lastGaveUpMs = atMs;
    } else {
      close(atMs);
      sinceMs = waiting > 0 ? atMs : null;
    }
  }
  if (waiting > 0) close(untilMs);
  else if (lastGaveUpMs !== null) close(lastGaveUpMs);
  return found;
}

type MomentKind = 'call' | 'acknowledged' | 'given up';

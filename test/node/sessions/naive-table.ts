import type { SessionRecord } from '../../../src/node/sessions/session-record.ts';

interface NaiveSession {
  readonly name: string;
  readonly timeoutMs: number;
  readonly window: number;
  activeAt: number;
  /** The number of the entry that it was active with last: who is evicted first. */
  activeWith: number;
  lowest: number;
  readonly executed: { sequence: number; with: number; result: string | null }[];
}

/**
 * A table of sessions that is plain to see through: lists, searched from one end to the other, after each entry.
 * What it says of an entry is one line.
 */
export class NaiveTable {
  sessions: NaiveSession[] = [];
  timeMs = 0;
  stepMs = 0;
  bytesMax = 0;

  apply(index: number, record: SessionRecord, run: (command: Uint8Array) => string): string {
    this.timeMs = Math.max(this.timeMs, Math.min(record.stampMs, this.timeMs + this.stepMs));
    this.sessions = this.sessions.filter((s) => this.timeMs - s.activeAt <= s.timeoutMs);
    if (record.kind === 'time') return 'timed';
    if (record.kind === 'open') {
      this.stepMs =
        this.sessions.length === 0 ? record.timeStepMaxMs : Math.min(this.stepMs, record.timeStepMaxMs);
      this.bytesMax = record.resultBytesMax;
      this.#fit();
      this.sessions.push({
        name: `${index}.${record.salt}`,
        timeoutMs: record.timeoutMs,
        window: record.window,
        activeAt: this.timeMs,
        activeWith: index,
        lowest: 1,
        executed: [],
      });
      while (this.sessions.length > record.sessionsMax) {
        const first = Math.min(...this.sessions.map((s) => s.activeWith));
        this.sessions = this.sessions.filter((s) => s.activeWith !== first);
      }
      return `opened ${index}`;
    }
    const session = this.sessions.find((s) => s.name === `${record.id.index}.${record.id.salt}`);
    if (session === undefined) return 'refused session-gone';
    if (record.kind === 'close') {
      this.sessions = this.sessions.filter((s) => s !== session);
      return 'closed';
    }
    session.activeAt = this.timeMs;
    session.activeWith = index;
    session.lowest = Math.max(session.lowest, record.lowestUnanswered);
    const { sequence } = record;
    if (sequence < session.lowest) return 'refused acknowledged';
    const before = session.executed.find((e) => e.sequence === sequence);
    if (before !== undefined) {
      return before.result === null ? 'refused result-dropped' : `repeated ${before.result}`;
    }
    if (sequence >= session.lowest + session.window) return 'refused beyond-window';
    const result = run(record.command);
    const isHuge = result.length > this.bytesMax;
    session.executed.push({ sequence, with: index, result: isHuge ? null : result });
    this.#fit();
    return `executed ${result}`;
  }

  #fit(): void {
    for (;;) {
      const kept = this.kept();
      if (kept.reduce((sum, { result }) => sum + (result?.length ?? 0), 0) <= this.bytesMax) break;
      const oldest = kept.reduce((a, b) => (a.with < b.with ? a : b));
      oldest.result = null;
    }
  }

  /** What counts: the results that anybody could still be answered with. */
  kept() {
    return this.sessions.flatMap((s) =>
      s.executed.filter((e) => e.sequence >= s.lowest && e.result !== null),
    );
  }
}

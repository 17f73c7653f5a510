import type { NodeId } from '../../src/raft/identity.ts';
import type { Violation } from '../checkers/checker.ts';

/** The outcome of one run of one scenario with one seed. JSON-able. */
export interface RunResult {
  readonly scenario: string;
  readonly file: string;
  readonly seed: number;
  readonly verdict: 'passed' | 'violated';
  /** Hex SHA-256 over every event of the run, in order. */
  readonly digest: string;
  readonly events: number;
  readonly virtualMs: number;
  readonly wallMs: number;
  readonly injections: readonly Injection[];
  /** Each leadership seen, in order. */
  readonly leaders: readonly { readonly atMs: number; readonly replica: NodeId; readonly term: number }[];
  readonly operations: {
    readonly attempted: number;
    readonly acknowledged: number;
    readonly failed: number;
    readonly unknown: number;
  };
  readonly longestUnavailableMs: number;
  readonly checkers: readonly {
    readonly name: string;
    readonly property: string;
    readonly passed: boolean;
  }[];
  readonly violation: Violation | null;
  /** What the scenario was there to show, in a sentence; null when it was there to hold. */
  readonly shown: string | null;
  /** The last steps before the violation, one line each, oldest first; empty when passed. */
  readonly trace: readonly string[];
}

/** A fault as it really struck. */
export interface Injection {
  readonly atMs: number;
  /** null: momentary, or still there at the end. */
  readonly healedAtMs: number | null;
  /** One phrase, for example `partition: n2 cut off from n1, n3`. */
  readonly what: string;
  readonly on: readonly NodeId[];
}

/** A fact that Raft guarantees was found false. The replica must stop: better silent than wrong. */
export class InvariantViolation extends Error {
  readonly code = 'KONTIKI_INVARIANT_VIOLATION';
  constructor(message: string) {
    super(message);
    this.name = 'InvariantViolation';
  }
}

/** What the exit code of `kontiki` says. */
export const exitCode = {
  /** Everything held. */
  ok: 0,
  /** A checker found a violation. */
  violation: 1,
  /** Wrong options, or a file that cannot be used. Nothing ran. */
  badInput: 2,
  /** The lab itself failed, so there is no verdict. */
  labFailed: 3,
  /** Ctrl-C. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

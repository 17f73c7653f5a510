/** What the exit code of `kontiki` says. */
export const exitCode = {
  /** Everything held. */
  ok: 0,
  /** A checker found a violation. */
  violation: 1,
  /** `verify` found damage. */
  damaged: 1,
  /** Wrong options, or files that cannot be used as they are. Nothing was done. */
  badInput: 2,
  /** The lab itself failed, so there is no verdict. */
  labFailed: 3,
  /** The machine failed a command that works on directories, a disk for example. Nothing was made. */
  machineFailed: 3,
  /** `recover` gave its account, and changed nothing. */
  notConfirmed: 4,
  /** Ctrl-C. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

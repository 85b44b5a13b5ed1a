/** Exit codes of the command line, the same for every command; scripts may rely on them. */
export const exitCodes = {
  /** Done. Verdicts don't change it: a failed part is a result, not an error. */
  ok: 0,
  /** Could not be done; the message says why and what to do. */
  error: 1,
  /** The command line itself was wrong: unknown flag, missing value, unknown command. */
  usage: 2,
  /** Done, but at least one picture has no decision (unreadable, no score). */
  noDecision: 3,
  /** Refused: a gate does not let the model through, or the pictures can't show what a policy asks for. */
  refused: 4,
  /** Cancelled by Ctrl-C or a request to end; nothing is left half-written. */
  cancelled: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Shown at the foot of every `--help`. */
export const exitCodeHelp = `
Exit codes:
  0    done (a failed part is a result, not an error)
  1    could not be done; the message says why and what to do
  2    wrong command line
  3    done, but at least one picture has no decision
  4    refused: a gate or a calibration policy is not met; the message says why
  130  cancelled (Ctrl-C); nothing is left half-written
`;

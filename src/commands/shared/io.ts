/** What a command may do to the outside: print, and know where it prints. */
export interface Io {
  /** Standard output: the answer. A promise where the reader is slower than we are. */
  out(text: string): void | Promise<void>;
  /** The same, also after an interrupt: for a command whose work an interrupt merely ends. */
  final?(text: string): void | Promise<void>;
  /** Standard error: the conversation. */
  err(text: string): void;
  /** Standard error is a terminal that can show a progress line. */
  readonly isTTY: boolean;
  /** Of that terminal. */
  readonly columns: number;
  /** The answer may have emphasis. */
  readonly color: boolean;
  /** Set off by an interrupt, or when the reader of the answer has gone. */
  readonly signal?: AbortSignal;
}

export type ColorChoice = "auto" | "always" | "never";

/** Exit statuses (README, "Exit status"). */
export const EXIT = {
  ok: 0,
  lost: 1,
  trouble: 2,
  noVerdict: 3,
  bug: 70,
  interrupted: 130,
} as const;

/** What a redaction did: told by `redact`. */

/** One output. */
export interface RedactedRecording {
  file: string;
  events: number;
  /** Events that are not in it, by name. */
  leftOut: Record<string, number>;
  bytes: number;
  sha256: string;
}

/** What was done, and what the proof compared. */
export interface RedactSummary {
  outputs: RedactedRecording[];
  pages: { pieces: number; runs: number; moved: number; touchedKept: number };
  proof: { policies: number; rounds: number; requests: number; facts: number };
  keepRuns: boolean;
  keepTimes: boolean;
  /** Random keys are forgotten. */
  key: "random" | "file";
}

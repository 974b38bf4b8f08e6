/** A case: the files of one migration, or of one host, each with what it is and whether it is used. */
import type { FirstLook } from "../join/first-look.ts";

export interface CaseFile {
  name: string;
  /** One line for people, without the name: what it is, and why it is left out where it is. */
  said: string;
  used: boolean;
}

/** What is taken from a case when the user does not say otherwise. Names of its files. */
export interface CaseOptions {
  clockPairs?: string;
  mtree?: string[];
  traceEvents?: string;
  owners?: string;
  /** The folder of the images. */
  observed?: string;
  /** `uname -a` of the host whose kernel was recorded, as far as it is told. */
  kernel?: string;
  /** Version of QEMU, of both sides where they differ. */
  qemu?: string;
}

export interface Case {
  /** The folder or archive, or its first recording. */
  name: string;
  /** Every file, in the order in which they were found. */
  files: CaseFile[];
  /** Names of the recordings: what is replayed, destinations, and repetitions. */
  recordings: string[];
  /** First looks at these, by name. */
  looks: ReadonlyMap<string, FirstLook>;
  options: CaseOptions;
  /** What only the user can decide, one sentence each, with the option. */
  questions: string[];
}

/**
 * The part of a case: what one task found, whole. It holds no time of day, no host and no path but
 * the names of the plan, so equal inputs give equal bytes, wherever and however often they are run.
 */
import type { PageRuns } from "../model/page-runs.ts";
import { decodePages } from "./page-set.ts";
import type { Digest, FleetOptions, FleetTool } from "./plan.ts";

export const PART_SCHEMA = "vhost-replay/part/1";

/** A part may not be larger than this: a set of every other page of 1 TiB is about 350 MiB. */
export const MAX_PART_BYTES = 512 * 1024 * 1024;

/** What a policy came to in one machine. Sets are whole: see page-set.ts. */
export interface PartPolicy {
  name: string;
  /** Pages; null: not known. */
  logged: number | null;
  lost: number | null;
  lostPages: string;
  /** At the destinations of the machine's migrations; null where no migration is recorded. */
  stale: number | null;
  /** Likely or possibly stale, and in no migration certainly. */
  possiblyStale: number | null;
  stalePages: string;
}

/** One virtual machine of a case. */
export interface PartMachine {
  number: number;
  /** The recording carries a verdict about it. */
  verdict: boolean;
  /** Why its numbers may be too low, or too high: codes of the limits with that effect. */
  mayBeMore: readonly string[];
  mayBeLess: readonly string[];
  /** Pages that devices wrote; null: not known. */
  written: number | null;
  migrations: number;
  policies: readonly PartPolicy[];
}

/** One input as it was read. */
export interface PartInput {
  name: string;
  bytes: number | null;
  sha256: string | null;
}

interface PartHead {
  schema: typeof PART_SCHEMA;
  id: string;
  name: string;
  labels: Readonly<Record<string, string>>;
  tool: FleetTool;
  options: FleetOptions;
  inputs: readonly PartInput[];
  /** Hash over the inputs' hashes: two cases with one content are one case. null: not read whole. */
  content: string | null;
}

export interface OkPart extends PartHead {
  status: "ok";
  machines: readonly PartMachine[];
}

/** The case cannot be answered, now or ever: its inputs are to blame. */
export interface FailedPart extends PartHead {
  status: "failed";
  error: string;
}

export type Part = OkPart | FailedPart;

/** The bytes of a part: one line, with a checksum over everything before it. */
export function writePart(part: Part, digest: Digest): string {
  const body = JSON.stringify(part);
  return `${body.slice(0, -1)},"checksum":"${digest(body)}"}\n`;
}

/** Reads a part; a text says why it is none, or not whole. */
export function readPart(text: string, digest: Digest): Part | string {
  const match = /,"checksum":"([0-9a-f]{64})"\}\n$/.exec(text.slice(-82));
  if (!match) return "cut off, or no part";
  const body = `${text.slice(0, text.length - match[0].length)}}`;
  if (digest(body) !== match[1]) return "damaged: its checksum is another";
  const part = parsed(body);
  if (part?.schema !== PART_SCHEMA) {
    return `a part of another kind: ${JSON.stringify(part?.schema ?? null).slice(0, 60)}`;
  }
  return part;
}

/** null: a checksum can be right over what is no JSON. */
function parsed(text: string): Part | null {
  try {
    return JSON.parse(text) as Part;
  } catch {
    return null;
  }
}

/** A set of a part's policy. A part with a right checksum has readable sets. */
export function pagesOf(text: string): PageRuns {
  const set = decodePages(text);
  if (!set) throw new Error("bug: a part with a right checksum holds a set that is none");
  return set;
}

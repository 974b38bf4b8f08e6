/** A run of guest pages, and a write with the request that made it. */
import type { Place } from "./place.ts";

/** A half-open run of guest pages: gfn is the first page's number (gpa >> 12). */
export interface PageRun {
  gfn: number;
  pages: number;
}

/** A write that is the first one to touch its pages in its round, for this cause. */
export interface Evidence {
  /** Number of its machine. */
  machine: number;
  cause: string;
  device: number;
  queue: number | null;
  head: number | null;
  request: number | null;
  round: number;
  gpa: number;
  len: number;
  /** The event that ended the request (used), or made the ring write. */
  place: Place;
  ns: string;
  popPlace: Place | null;
  popNs: string | null;
}

/** A conformance case: a guest's recording, and what the product says each kernel makes of it. */
import { Guest, type GuestOptions } from "../guest.ts";
import { type ProductCounters, replayEvents } from "../product.ts";

export interface CaseResult {
  /** Pages of all rounds, ascending: "15 201 202". */
  written: string;
  /** Linux 6.1: column N. */
  unpatched: string;
  /** Linux 7.2: column P. */
  patched: string;
  linux616: string;
  /** Written and not logged by 6.1, by 7.2. */
  lostUnpatched: string;
  lostPatched: string;
  counters: ProductCounters;
}

/** Page numbers in hex, ascending, without repetition. */
export function pageList(pages: Iterable<number>): string {
  return [...new Set(pages)]
    .sort((a, b) => a - b)
    .map((page) => page.toString(16))
    .join(" ");
}

/** True when every page of `some` is one of `all`. */
export function isWithin(some: string, all: string): boolean {
  const list = all.split(" ");
  return some.split(" ").every((page) => page === "" || list.includes(page));
}

/** Replays what `act` does with a guest of the common setting. */
export async function replayCase(
  act: (guest: Guest) => unknown,
  options: GuestOptions = {},
): Promise<CaseResult> {
  const guest = new Guest(options);
  act(guest);
  const { rounds, counters } = await replayEvents(guest.events);
  const written = rounds.flatMap((round) => [...round.written]);
  const unpatched = rounds.flatMap((round) => [...round.logged["linux-6.1"]]);
  const patched = rounds.flatMap((round) => [...round.logged["linux-7.2"]]);
  const linux616 = rounds.flatMap((round) => [...round.logged["linux-6.16"]]);
  const without = (logged: number[]): string =>
    pageList(written.filter((page) => !logged.includes(page)));
  return {
    written: pageList(written),
    unpatched: pageList(unpatched),
    patched: pageList(patched),
    linux616: pageList(linux616),
    lostUnpatched: without(unpatched),
    lostPatched: without(patched),
    counters,
  };
}

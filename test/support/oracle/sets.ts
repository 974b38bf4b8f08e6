/** From pages per cause to what a policy logs, loses and leaves stale; and bitmaps as the kernel has them. */
import { Cause } from "../../../assembly/page-abi.ts";
import type { OracleRound } from "../oracle.ts";

/** A mask over causes. */
export function causeMask(...causes: Cause[]): bigint {
  return causes.reduce((mask, cause) => mask | (1n << BigInt(cause)), 0n);
}

/** Every cause but those outside the logging window of drivers/vhost, whose ring's flag opens it. */
export const WINDOW =
  ~causeMask(Cause.RangeLogged, Cause.PartLogged, Cause.PartOff) &
  ~causeMask(
    Cause.RingOff,
    Cause.NotifyOff,
    Cause.IoOff,
    Cause.CtlOff,
    Cause.EvtOff,
    Cause.RingAll,
  );
/** Before 6.16: the used ring only. */
export const UNPATCHED = causeMask(Cause.RingLogged, Cause.RingFlag, Cause.NotifyLogged);
/** 6.16 and later: every write descriptor whose entries were captured, too. */
export const PATCHED = UNPATCHED | causeMask(Cause.IoLogged, Cause.CtlLogged, Cause.EvtLogged);

/** Pages of every cause in `mask`, in one round. */
export function pagesOf(round: OracleRound, mask: bigint): Set<number> {
  const pages = new Set<number>();
  round.causes.forEach((set, cause) => {
    if (mask & (1n << BigInt(cause))) for (const page of set) pages.add(page);
  });
  return pages;
}

export interface OraclePolicyRound {
  written: Set<number>;
  logged: Set<number>;
  lost: Set<number>;
  extra: Set<number>;
  /** After this round: written and not logged since. */
  stale: Set<number>;
}

/** What a policy that logs the causes of `logs` makes of the rounds; `window`: causes that count. */
export function policyRounds(
  rounds: readonly OracleRound[],
  logs: bigint,
  window = WINDOW,
): OraclePolicyRound[] {
  let stale = new Set<number>();
  return rounds.map((round) => {
    const written = pagesOf(round, window);
    const logged = pagesOf(round, logs);
    stale = new Set([...stale, ...written].filter((page) => !logged.has(page)));
    return {
      written,
      logged,
      lost: new Set([...written].filter((page) => !logged.has(page))),
      extra: new Set([...logged].filter((page) => !written.has(page))),
      stale,
    };
  });
}

/** A dirty log as the kernel keeps it: bit n of byte n/8, least significant first; no zero tail. */
export function bitmapImage(pages: Iterable<number>): Uint8Array {
  const sorted = [...pages];
  const last = sorted.reduce((a, b) => Math.max(a, b), -1);
  const image = new Uint8Array(Math.floor(last / 8) + 1);
  for (const page of sorted) {
    const byte = Math.floor(page / 8);
    image[byte] = (image[byte] ?? 0) | (1 << (page % 8));
  }
  return image;
}

/** The pages of a dirty log. */
export function pagesOfImage(image: Uint8Array): Set<number> {
  const pages = new Set<number>();
  image.forEach((byte, at) => {
    for (let b = 0; b < 8; b++) if (byte & (1 << b)) pages.add(at * 8 + b);
  });
  return pages;
}

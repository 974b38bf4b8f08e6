/**
 * Requests that straddle a sync: a back end logs them in one round, and the recording has their
 * completion in the next one (a front end sees it later), or the other way round (a probe at the
 * entry of a function that logs behind it).
 */

interface Sync {
  predicted: Uint8Array;
  observed: Uint8Array;
  /** Called with whether its differences are those of straddling requests. */
  tell: (straddles: boolean) => void;
}

/** Compares each sync with the ones beside it. */
export interface Straddles {
  add(predicted: Uint8Array, observed: Uint8Array, tell: Sync["tell"]): void;
  finish(): void;
}

/** For the syncs of one policy, in their order. Holds three of them at a time. */
export function startStraddles(): Straddles {
  const held: Sync[] = [];
  const judge = (at: number): void => {
    const sync = held[at];
    if (sync) sync.tell(isMoved(sync, held[at - 1], held[at + 1]));
  };
  return {
    add(predicted, observed, tell) {
      held.push({ predicted, observed, tell });
      judge(held.length - 2);
      if (held.length > 2) held.shift();
    },
    finish: () => judge(held.length - 1),
  };
}

const byteOf = (image: Uint8Array | undefined, at: number): number => image?.[at] ?? 0;

/**
 * Whether every page that differs stands on the other side of a neighbour, and one of them is there
 * the other way round, so that the union of both rounds is equal.
 */
function isMoved(sync: Sync, before: Sync | undefined, after: Sync | undefined): boolean {
  let moved = false;
  const bytes = Math.max(sync.predicted.length, sync.observed.length);
  for (let at = 0; at < bytes; at++) {
    const [p, o] = [byteOf(sync.predicted, at), byteOf(sync.observed, at)];
    if (p === o) continue;
    const missing = o & ~p;
    const extra = p & ~o;
    const side = (which: "predicted" | "observed"): number =>
      byteOf(before?.[which], at) | byteOf(after?.[which], at);
    if ((missing & ~side("predicted")) !== 0 || (extra & ~side("observed")) !== 0) return false;
    const swapped = [before, after].some((other) => {
      const [otherP, otherO] = [byteOf(other?.predicted, at), byteOf(other?.observed, at)];
      return (missing & otherP & ~otherO) !== 0 || (extra & otherO & ~otherP) !== 0;
    });
    moved ||= swapped;
  }
  return moved;
}

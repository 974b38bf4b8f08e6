/** Owners of pages as JSON: most pages first. */
import type { OwnersOfSet } from "../../answers/page-set.ts";

const LISTED_OWNERS = 256;

/** Pages of each owner, and how many are of nobody that the file names. */
export function ownersJson({ owned, unknown }: OwnersOfSet) {
  const listed = owned.slice(0, LISTED_OWNERS);
  return {
    owned: listed.map(({ owner, kind, pages: count }) => ({ owner, kind, pages: count })),
    moreOwners: owned.length - listed.length,
    unknown,
  };
}

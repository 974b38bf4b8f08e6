/**
 * One run of a user-space back end, seen from several sides: by probes in it, and by a front end that plays
 * the guest and writes down the same syncs. They share no address, so nothing joins their events; replayed
 * together each request would count for two devices.
 */
import { EventKind } from "../../assembly/event-abi.ts";
import type { FirstLook, LookedMarker } from "../join/first-look.ts";

/** Between two records of one marker: the front end writes them one after the other. */
const SAME_MOMENT = 1_000_000_000n;

/** Recordings that are left out, each with the one that shows the same run from inside the back end. */
export function otherSides(looks: readonly FirstLook[]): Map<FirstLook, FirstLook> {
  const inside = looks.filter(isInside);
  const others = new Map<FirstLook, FirstLook>();
  for (const look of looks) {
    if (isInside(look) || !look.summary.format.startsWith("NDJSON")) continue;
    const same = inside.find(({ markers }) => sameMarkers(markers, look.markers));
    if (same) others.set(look, same);
  }
  return others;
}

/** Made by the probes of a back end. */
export function isInside({ kinds }: FirstLook): boolean {
  return kinds.some(
    (count, kind) => count > 0 && kind >= EventKind.SpdkGet && kind < EventKind.Other,
  );
}

function sameMarkers(a: readonly LookedMarker[], b: readonly LookedMarker[]): boolean {
  if (a.length === 0 || a.length !== b.length) return false;
  return a.every(({ text, ns }, i) => {
    const other = b[i]!;
    const apart = ns > other.ns ? ns - other.ns : other.ns - ns;
    return text === other.text && apart < SAME_MOMENT;
  });
}

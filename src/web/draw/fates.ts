/** What became of a write: `Lane` of the page at the end, or outside the logging window. */
import { LANE_STATES } from "../../history/lanes.ts";

export const OUTSIDE = LANE_STATES;
export const FATES = OUTSIDE + 1;

/** How the questions replay a recording. */
import type { ReplayResult } from "../model/result.ts";
import type { Recording, ReplayOptions } from "../replay/replay.ts";

/** How a recording is replayed: `replay`, or something that stands for it (a worker, a test). */
export type Replayer = (recording: Recording, options: ReplayOptions) => Promise<ReplayResult>;

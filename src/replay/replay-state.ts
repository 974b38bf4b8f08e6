/** What a follower of the replay, and who reads a migration's verdict, may see of the replay. */
import type { Core } from "../core/core.ts";
import type { QueueName } from "../core/queue-record.ts";
import type { Row } from "../core/rows.ts";
import type { OpenInput } from "../formats/open-inputs.ts";
import type { MergePlan } from "../join/merge-plan.ts";
import type { Place } from "../model/place.ts";
import type { Device, LoggingChange } from "./device.ts";
import type { ReplayOptions } from "./replay-options.ts";

export interface ReplayState {
  readonly core: Core;
  readonly inputs: readonly OpenInput[];
  readonly options: ReplayOptions;
  readonly plan: MergePlan;
  readonly rows: readonly Row[];
  /** Those of the machine. */
  readonly devices: readonly Device[];
  /** Gaps in the recording so far. */
  readonly gapCount: number;
  /** Place of a record of a stream in the user's file. */
  readonly placeOf: (stream: number, place: number) => Place;
  /**
   * Lists a device that QEMU hands to a back end in user space, by its struct vhost_dev, the input and its
   * name; gives the changes of its log. Null: no room.
   */
  handed(dev: bigint, input: number, name: string): LoggingChange[] | null;
  /** Machine, device and index of a queue by its number. */
  queueOf(): (id: number) => QueueName;
}

/** A device of a recording, as far as is known. */
import type { Place } from "../model/place.ts";
import type { BackEndProgram, Ring } from "../vhost/policy-row.ts";
import type { MemoryRegion } from "./memory-table.ts";

export interface LoggingChange {
  place: Place;
  ns: string;
  what: string;
}

export interface Device {
  /** From 0, the same wherever the device is named. */
  number: number;
  /** The driver's own structure, which ioctls name; struct vhost_dev, which drains name. Null: not seen. */
  vs: bigint | null;
  dev: bigint | null;
  driver: string | null;
  /** The program in user space whose probes tell of it. */
  program: BackEndProgram | null;
  /** Its rings, as those events show them. */
  ring: Ring | null;
  features: bigint | null;
  memory: MemoryRegion[];
  /** Pages that the log has room for, where a message says it. */
  logPages: number | null;
  /** VHOST_SET_OWNER was recorded: which thread opened it then, ns. */
  opened: { by: number; ns: string } | null;
  logging: LoggingChange[];
}

/** A device of a recording, as far as is known. */
import { Driver } from "../../assembly/queue-abi.ts";
import type { Place } from "../model/place.ts";
import type { BackEndProgram, Ring } from "../vhost/policy-row.ts";
import type { MemoryRegion } from "./memory-table.ts";

export interface LoggingChange {
  place: Place;
  ns: string;
  what: string;
}

export interface Device {
  /** From 0, as the core counts them. */
  number: number;
  /** Its number for a reader, the same wherever it is named. */
  shown: number;
  /** The driver's own structure, which ioctls name; struct vhost_dev, which drains name. Null: not seen. */
  vs: bigint | null;
  dev: bigint | null;
  driver: string | null;
  /** The program in user space whose probes tell of it. */
  program: BackEndProgram | null;
  /** Its rings, as those events show them. */
  ring: Ring | null;
  /** QEMU's own recording tells of it, and no event of its queues. */
  handed: boolean;
  features: bigint | null;
  memory: MemoryRegion[];
  /** Pages that the log has room for, where a message says it. */
  logPages: number | null;
  /** VHOST_SET_OWNER was recorded: which thread opened it then, ns. */
  opened: { by: number; ns: string } | null;
  logging: LoggingChange[];
}

/** A device of which nothing but a name is known yet. */
export function newDevice(number: number, vs: bigint | null, dev: bigint | null): Device {
  return {
    ...{ number, shown: number, vs, dev, driver: null, program: null, ring: null, handed: false },
    ...{ features: null, memory: [], logPages: null, opened: null, logging: [] },
  };
}

/** Drivers that a recording may name, as the core counts them. */
export const DRIVERS: Record<string, Driver> = {
  "vhost-scsi": Driver.Scsi,
  "vhost-net": Driver.Net,
  "vhost-vsock": Driver.Vsock,
  "vhost-user": Driver.VhostUser,
  "vhost-user-scsi": Driver.VhostUserScsi,
  "vhost-user-blk": Driver.VhostUserBlk,
  "vhost-user-net": Driver.VhostUserNet,
  "vhost-user-fs": Driver.VhostUserFs,
};

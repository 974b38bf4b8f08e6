/**
 * How lines of QEMU's text backends look, and how the core is to read them. To add a dialect: a row,
 * and where its lines begin in another way, a LogShape with its reader in assembly/decode/qemu-prefix.ts.
 */
import { LogShape } from "../../assembly/abi.ts";
import type { Dialect } from "./dialects.ts";

export interface QemuDialect extends Dialect {
  readonly shape: LogShape;
  readonly clock: string | null;
  /** What these lines do not tell, one sentence. */
  readonly note: string | null;
}

/** scripts/tracetool/backend/log.py of QEMU up to 10 with and without `-msg timestamp=on`, and 11. */
export const QEMU_DIALECTS: readonly QemuDialect[] = [
  {
    name: "tid@time",
    line: /^\d+@\d+\.\d{6}:[a-z]\w* /,
    shape: LogShape.TidTime,
    clock: "realtime",
    note: null,
  },
  {
    name: "ISO 8601",
    line: /^(?:\S+ )?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [a-z]\w* /,
    shape: LogShape.Iso,
    clock: "realtime",
    note: "The log has no thread numbers: elements are told apart by their order alone.",
  },
  {
    name: "no time",
    line: /^(?:virtqueue|virtio|vhost|flatview|memory_region|address_space|migration|ram|savevm)_\w+ /,
    shape: LogShape.Bare,
    clock: null,
    note: "The log has no times (record with -msg timestamp=on): only the order is known.",
  },
];

/**
 * How lines of QEMU's text backends look, and how the core is to read them. To add a dialect: a row,
 * and where its lines begin in another way, a LogShape with its reader in assembly/decode/qemu-prefix.ts.
 */
import { LogShape } from "../../assembly/decode-abi.ts";
import type { Dialect } from "./dialects.ts";

export interface QemuDialect extends Dialect {
  readonly shape: LogShape;
  readonly clock: string | null;
  /** What these lines do not tell, one sentence. */
  readonly note: string | null;
}

/** What may stand in front of QEMU's own line: anything that does not end in a word of its own. */
const BEHIND = "(?:^|[^\\w@.])";
/** Behind a prefix a name needs an underscore: `2026-…Z host qemu` is syslog. */
const EVENT = "[a-z][a-z0-9]{0,30}_\\w{1,100} ";
const ISO = "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z ";
const KNOWN =
  "(?:virtqueue|virtio|vhost|flatview|memory_region|address_space|migration|ram|savevm)_\\w{1,100} ";

/**
 * scripts/tracetool/backend/log.py of QEMU up to 10 with and without `-msg timestamp=on`, and 11;
 * format/log_stap.py.
 */
export const QEMU_DIALECTS: readonly QemuDialect[] = [
  {
    name: "tid@time",
    line: new RegExp(`${BEHIND}\\d{1,10}@\\d{1,12}\\.\\d{6}:[a-z]\\w{0,100} `),
    shape: LogShape.TidTime,
    clock: "realtime",
    note: null,
  },
  {
    name: "ISO 8601",
    line: new RegExp(`^${ISO}[a-z]\\w{0,100} |${BEHIND}${ISO}${EVENT}`),
    shape: LogShape.Iso,
    clock: "realtime",
    note: "The log has no thread numbers: elements are told apart by their order alone.",
  },
  {
    name: "pid@nanoseconds",
    line: new RegExp(`${BEHIND}\\d{1,10}@\\d{16,19} [a-z]\\w{0,100} `),
    shape: LogShape.Stap,
    clock: "realtime",
    note:
      "The log has numbers of processes, not of threads (qemu-trace-stap): elements are told apart by " +
      "their order alone.",
  },
  {
    name: "no time",
    line: new RegExp(`^${KNOWN}|[\\s:|>"'\\]]${KNOWN}[a-z_]{1,20} (?:0x|\\d)`),
    shape: LogShape.Bare,
    clock: null,
    note: "The log has no times (record with -msg timestamp=on): only the order is known.",
  },
];

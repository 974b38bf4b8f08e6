/**
 * A second, independent reader of tracefs text: one regular expression per line, for tests only.
 *
 * ```
 *   vhost-285-287     [000] .....    12.931794: pop: (vhost_scsi_get_desc+0x4c/0x1b0 …) head=121
 * ```
 */
import type { NormalisedEvent } from "../../../src/model/event.ts";

const LINE = /^\s*(.*)-(\d+)\s+\[(\d+)\]\s+(?:\S+\s+)?(\d+)\.(\d+): ([A-Za-z_]\w*): (.*)$/;
const MASK64 = (1n << 64n) - 1n;
/** Fields that stay 64-bit hex strings; every other number is a JavaScript number. */
const WIDE = new Set(
  "vq gpa iov iotlb nheads start last addr file vs arg a0 a1 a2 a3 a4 logaddr feat logbase dev q0 q1".split(
    " ",
  ),
);
const KINDS = new Set("desc pop used drain rearm uflags mem ioctl ioctl_ret".split(" "));

/** The events of a text trace in file order; throws on a line that is neither event nor comment. */
export function readTraceText(text: string): NormalisedEvent[] {
  const events: NormalisedEvent[] = [];
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const lost = /^CPU:(\d+) \[LOST (\d+) EVENTS\]$/.exec(line);
    const match = LINE.exec(line);
    if (lost !== null) {
      const ts = events.at(-1)?.ts ?? "0";
      events.push({ event: "gap", ts, cpu: Number(lost[1]), pid: 0, lost: Number(lost[2]) });
      continue;
    }
    if (match === null) throw new Error(`not a trace line: ${line}`);
    const [, , pid, cpu, seconds, fraction, name, rest] = match as unknown as string[];
    const nanoseconds = `${fraction}`.padEnd(9, "0");
    const base = {
      ts: (BigInt(`${seconds}`) * 1_000_000_000n + BigInt(nanoseconds)).toString(),
      cpu: Number(cpu),
      pid: Number(pid),
    };
    if (name === "tracing_mark_write") {
      events.push({ event: "marker", ...base, text: `${rest}` });
    } else if (KINDS.has(`${name}`)) {
      const fields: Record<string, string | number> = {};
      for (const [, key, value] of `${rest}`.matchAll(/(\w+)=(-?\w+)/g)) {
        fields[`${key}`] = WIDE.has(`${key}`)
          ? `0x${(BigInt(`${value}`) & MASK64).toString(16)}`
          : Number(value);
      }
      events.push({ event: name, ...base, ...fields } as unknown as NormalisedEvent);
    }
  }
  return events;
}

/** In time order; events of one time keep their order. */
export function inTimeOrder(events: NormalisedEvent[]): NormalisedEvent[] {
  const order = (a: NormalisedEvent, b: NormalisedEvent): number => {
    const difference = BigInt(a.ts) - BigInt(b.ts);
    return difference < 0n ? -1 : difference > 0n ? 1 : 0;
  };
  return [...events].sort(order);
}

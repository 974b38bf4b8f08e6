/** Events as lines of tracefs `trace`, which a mailing list can read and which read back as a recording. */
import type { NormalisedEvent } from "../../model/event.ts";
import { EVENT_KEYS } from "../../model/event-keys.ts";
import { qemuEvent } from "../../qemu/events.ts";
import { piecesOf } from "../../qemu/pattern.ts";

/** The function that an ioctl's probe is in, which tells the driver. */
const IOCTLS: Readonly<Record<string, string>> = {
  "vhost-scsi": "vhost_scsi_ioctl",
  "vhost-net": "vhost_net_ioctl",
  "vhost-vsock": "vhost_vsock_dev_ioctl",
};

/** One line, with its line feed. Times have nanoseconds where the event has. */
export function ftraceLine(event: NormalisedEvent): string {
  const cpu = `${event.cpu}`.padStart(3, "0");
  if (event.event === "gap") {
    const lost = event.lost === null ? "" : `${event.lost} `;
    return `CPU:${event.cpu} [LOST ${lost}EVENTS]\n`;
  }
  const head = `${`task-${event.pid}`.padStart(20)} [${cpu}] ..... ${time(event.ts)}: `;
  if (event.event === "marker") return `${head}tracing_mark_write: ${event.text}\n`;
  if (event.event === "qemu") {
    const said = `${event.name} ${qemuText(event.name, event.args)}`.trimEnd();
    return `${head}tracing_mark_write: ${said}\n`;
  }
  const values = event as unknown as Record<string, unknown>;
  const fields = EVENT_KEYS[event.event]
    .filter((key) => key !== "driver" && values[key] !== undefined)
    .map((key) => `${key}=${values[key]}`);
  const driver = event.event === "ioctl" ? (event.driver ?? "") : "";
  const symbol = IOCTLS[driver] ?? "probe";
  return `${head}${event.event}: (${symbol}) ${fields.join(" ")}\n`;
}

function time(ns: string): string {
  const digits = ns.padStart(10, "0");
  const [whole, fraction] = [digits.slice(0, -9), digits.slice(-9)];
  return `${whole.padStart(6)}.${fraction.endsWith("000") ? fraction.slice(0, 6) : fraction}`;
}

/** The arguments as the newest format that has them all prints them. */
function qemuText(name: string, args: Readonly<Record<string, string | number>>): string {
  const own = qemuEvent(name);
  if (!own) throw new Error(`bug: ${name} is no event of QEMU that is known`);
  return piecesOf(own.formats[0]!.text)
    .map(({ text, name: key, conversion }) => {
      if (key === null) return text;
      return text + argument(args[key], conversion);
    })
    .join("");
}

function argument(value: string | number | undefined, conversion: string | null): string {
  if (conversion === "s") return `${value ?? ""}`;
  const bits = BigInt(value ?? 0);
  if (conversion === "p") return `0x${BigInt.asUintN(64, bits).toString(16)}`;
  if (conversion === "x") return BigInt.asUintN(64, bits).toString(16);
  return bits.toString();
}

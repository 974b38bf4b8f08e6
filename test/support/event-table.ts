/** The table of docs/qemu.md, from that of src/qemu/events.ts. */
import { QEMU_VERSIONS } from "../../src/qemu/event-row.ts";
import { QEMU_EVENTS } from "../../src/qemu/events.ts";

/** One line an event, as it stands in docs/qemu.md. */
export function eventTable(): string {
  const lines = QEMU_EVENTS.map(({ name, formats, role, recorded, tells }) => {
    const versions = QEMU_VERSIONS.filter((version) =>
      formats.some((format) => format.versions.includes(version)),
    );
    const which = versions.length === QEMU_VERSIONS.length ? "all" : versions.join(", ");
    return `| \`${name}\` | ${which} | ${role} | ${recorded ? "yes" : "no"} | ${tells} |`;
  });
  return [
    "| event | QEMU | recording of | `record` | what it tells |",
    "|---|---|---|---|---|",
    ...lines,
  ].join("\n");
}

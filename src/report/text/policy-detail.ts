/** What a policy is beyond its mask: patches, switches, manner of logging, notes. */
import type { Policy } from "../../vhost/policy.ts";
import { patchList } from "../../vhost/series.ts";
import { listOf } from "./number-text.ts";
import { wrapText } from "./text-layout.ts";

/** For `policies NAME`: lines that are indented by two. Empty for a row without details. */
export function policyDetailText(policy: Policy): string[] {
  const { series, manner } = policy;
  const lines: [string, string][] = [];
  if (series) {
    lines.push(["patches", patchList(series.patches)]);
    lines.push(["switches", switchesText(policy)]);
  }
  if (manner) {
    lines.push(["pages", manner.pages], ["order", manner.order], ["taken at", manner.capture]);
    lines.push(["flags and avail_event", manner.notify ? "logged" : "not logged"]);
    lines.push(["beyond the log", manner.outOfRange]);
  }
  const drivers = policy.drivers ?? [];
  lines.push(["recordings of", drivers.length > 0 ? listOf(drivers) : "none: always a what-if"]);
  if (policy.note !== undefined) lines.push(["note", policy.note]);
  if (policy.fatal !== undefined) lines.push(["no numbers", policy.fatal]);
  return lines.flatMap(([what, text]) => wrapText(`${what}: ${text}`, "  ", "        "));
}

function switchesText({ series }: Policy): string {
  if (!series) return "";
  const { mapError, capture, buffers, patches: _, ...flags } = series;
  const on = Object.entries(flags).flatMap(([name, value]) => (value ? [name] : []));
  return [`mapError ${mapError}`, `capture ${capture}`, `buffers ${buffers}`, ...on].join(", ");
}

/** The table of policies, for people. */
import { causesOf } from "../../vhost/causes.ts";
import type { Policy } from "../../vhost/policy.ts";
import { policyDetailText } from "./policy-detail.ts";
import { alignColumns, type TextStyle, wrapText } from "./text-layout.ts";

/** All policies in a table, or with `detail` each with its causes and evidence. */
export function policiesText(
  policies: readonly Policy[],
  detail: boolean,
  style: TextStyle,
): string {
  if (!detail) {
    const rows = policies.map((policy) => [policy.name, policy.aliases.join(", "), policy.title]);
    return `${alignColumns([["policy", "also", "what it is"], ...rows], "lll").join("\n")}\n`;
  }
  return policies
    .map((policy) => {
      const also = policy.aliases.length > 0 ? ` (${policy.aliases.join(", ")})` : "";
      return `${[
        style.bold(`${policy.name}${also}`),
        ...wrapText(policy.title, "  ", "  "),
        "",
        ...wrapText(`logs: ${causesOf(policy.logs).join(", ") || "nothing"}`, "  ", "        "),
        ...policyDetailText(policy),
        "",
        "  evidence",
        ...policy.evidence.flatMap((text) => wrapText(text, "  - ", "    ")),
      ].join("\n")}\n`;
    })
    .join("\n");
}

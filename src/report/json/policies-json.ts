/** The document of `policies --json`. Schema: schema/policies.schema.json. */
import { causesOf } from "../../vhost/causes.ts";
import type { Policy } from "../../vhost/policy.ts";
import { type Tool, toolJson } from "./result-json.ts";

/** `vhost-replay/policies/1`. */
export function policiesJson(tool: Tool, policies: readonly Policy[]) {
  return {
    schema: "vhost-replay/policies/1",
    tool: toolJson(tool),
    policies: policies.map((policy) => ({
      name: policy.name,
      aliases: [...policy.aliases],
      title: policy.title,
      logs: causesOf(policy.logs),
      evidence: [...policy.evidence],
      ...policyDetailJson(policy),
    })),
  };
}

/** For `policies --json`, after the keys of every row; null where a row has no such thing. */
export function policyDetailJson(policy: Policy) {
  const { series, manner } = policy;
  return {
    drivers: [...(policy.drivers ?? [])],
    patches: series ? [...series.patches] : null,
    switches: series
      ? {
          mapError: series.mapError,
          flush: series.flush,
          ebusy: series.ebusy,
          piCheck: series.piCheck,
          inOrderRange: series.inOrderRange,
          freeOnOff: series.freeOnOff,
          capture: series.capture,
          buffers: series.buffers,
        }
      : null,
    manner: manner
      ? {
          pages: manner.pages,
          order: manner.order,
          capture: manner.capture,
          notify: manner.notify,
          outOfRange: manner.outOfRange,
        }
      : null,
    note: policy.note ?? null,
    fatal: policy.fatal ?? null,
  };
}

/** The job in docs/fleet is what Kubernetes publishes as the schema of a Job (by kubernetes-models). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Job } from "kubernetes-models/batch/v1/Job";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { indexOfTask } from "../../src/fleet/index-list.ts";

const FOLDER = join(import.meta.dirname, "../../docs/fleet");
const manifest = () => parse(readFileSync(join(FOLDER, "job.yaml"), "utf8"));

describe("docs/fleet/job.yaml", () => {
  test("is a Job of batch/v1", () => {
    new Job(manifest()).validate();
  });

  test("a value of the wrong kind, or one that must be there, is refused", () => {
    for (const damage of [
      (job: ReturnType<typeof manifest>) => (job.spec.completionMode = "Other"),
      (job: ReturnType<typeof manifest>) => delete job.spec.template,
      (job: ReturnType<typeof manifest>) => (job.spec.podFailurePolicy.rules[0].action = 1),
      (job: ReturnType<typeof manifest>) => (job.spec.backoffLimitPerIndex = "3"),
    ]) {
      const job = manifest();
      damage(job);
      expect(() => new Job(job).validate()).toThrow();
    }
  });

  test("has no key that the schema does not name: validation lets unknown ones pass", () => {
    const { spec } = manifest();
    const named = {
      spec: "completionMode completions parallelism backoffLimitPerIndex maxFailedIndexes podFailurePolicy template",
      rule: "action onExitCodes onPodConditions",
      exit: "containerName operator values",
      pod: "restartPolicy containers volumes",
      container: "name image args resources volumeMounts",
    };
    const keys = (value: object) => Object.keys(value).toSorted();
    const sorted = (text: string) => text.split(" ").toSorted();
    expect(keys(spec)).toEqual(sorted(named.spec));
    for (const rule of spec.podFailurePolicy.rules) {
      for (const key of keys(rule)) expect(sorted(named.rule)).toContain(key);
      if (rule.onExitCodes) expect(keys(rule.onExitCodes)).toEqual(sorted(named.exit));
    }
    expect(keys(spec.template.spec)).toEqual(sorted(named.pod));
    for (const one of spec.template.spec.containers) {
      expect(keys(one)).toEqual(sorted(named.container));
    }
  });

  test("hands the worker its index, and lets it try again for the status that asks for it", () => {
    const { spec } = manifest();
    expect(spec.completionMode).toBe("Indexed");
    expect(indexOfTask({ JOB_COMPLETION_INDEX: "3" })?.value).toBe("3");
    const [, rule] = spec.podFailurePolicy.rules;
    expect(rule.onExitCodes.operator).toBe("NotIn");
    expect(rule.onExitCodes.values).toContain(75);
    expect(spec.template.spec.containers[0].args.slice(0, 2)).toEqual(["fleet", "run"]);
  });
});

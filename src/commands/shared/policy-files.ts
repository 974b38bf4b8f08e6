/** `--policy-file`: vendor kernels beside the table. */
import { readFile } from "node:fs/promises";
import { RecordingError } from "../../model/place.ts";
import type { Policy } from "../../vhost/policy.ts";
import { readPolicyFile } from "../../vhost/policy-file.ts";
import type { ReplayApi } from "./replay-api.ts";

/** Reads policy files. Throws RecordingError that names file and key. */
export async function readPolicyFiles(files: readonly string[]): Promise<Policy[]> {
  const policies: Policy[] = [];
  for (const file of files) {
    const text = await readFile(file, "utf8").catch((error: Error) => {
      throw new RecordingError({ file, at: "" }, "a readable policy file", error.message);
    });
    policies.push(readPolicyFile(text, { file, at: "" }));
  }
  return policies;
}

/** The library with these policies in front of its own. */
export function withPolicies(api: ReplayApi, policies: readonly Policy[]): ReplayApi {
  return { ...api, POLICIES: [...policies, ...api.POLICIES] };
}

/** Cases in JSON. Schema: schema/cases, and `case` in schema/report. */
import type { Case } from "../../case/case.ts";

/** What a case has, and what of it is used. */
export function caseJson({ name, files }: Case) {
  return {
    name,
    files: files.map((file) => ({ name: file.name, is: file.said, used: file.used })),
  };
}

/** `vhost-replay/cases/3`: a document of `report` for each. */
export function casesJson<Report>(cases: readonly Report[]) {
  return { schema: "vhost-replay/cases/3", cases };
}

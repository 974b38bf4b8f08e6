/**
 * The plan of a fleet: a line of JSON for the whole, then one for each case. It is made without reading
 * any recording, so a plan of a million costs a million directory entries; what a case holds is found
 * by who runs it.
 */

export const PLAN_SCHEMA = "vhost-replay/plan/1";

/** What every case of a plan is asked. */
export interface FleetOptions {
  /** Names of policies, in the order asked. */
  policies: readonly string[];
  window: "auto" | "recorded" | "assumed";
}

/** The tool that made a plan or a part: parts of another one are not mixed with it. */
export interface FleetTool {
  version: string;
  /** SHA-256 of the core. */
  core: string;
}

/** One file of a case, by its size and time: not by its bytes, which nobody has read yet. */
export interface PlannedFile {
  /** Relative to the plan's root, with `/` between folders. */
  name: string;
  bytes: number;
  /** Last change, ms since 1970, or what an object store gives instead. */
  changed: number | string;
}

/** One case: what one task replays. */
export interface PlanEntry {
  /** Position in the plan, from 0: the index of an array job. */
  index: number;
  /** Hash of files, tool and options: the name of its part. */
  id: string;
  name: string;
  files: readonly PlannedFile[];
  /** What the operator knows of it; `vm` names the virtual machine, across recordings. */
  labels: Readonly<Record<string, string>>;
}

export interface Plan {
  schema: typeof PLAN_SCHEMA;
  tool: FleetTool;
  options: FleetOptions;
  /** What the names of files are relative to, as the operator gave it; absent: the working folder. */
  root?: string;
  entries: PlanEntry[];
}

/** SHA-256 of a text, in hexadecimal. */
export type Digest = (text: string) => string;

/** What goes into a plan for one case. */
export type PlannedCase = Omit<PlanEntry, "index" | "id">;

/** A plan of these cases, in the order of their names; the same cases give the same bytes. */
export function makePlan(
  cases: readonly PlannedCase[],
  tool: FleetTool,
  options: FleetOptions,
  digest: Digest,
): Plan {
  const byName = (a: PlannedCase, b: PlannedCase): number =>
    a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
  const entries = cases.toSorted(byName).map((planned, index): PlanEntry => {
    const { name, files, labels } = planned;
    const id = digest(JSON.stringify([name, files, tool, options])).slice(0, 32);
    return { index, id, name, files, labels };
  });
  return { schema: PLAN_SCHEMA, tool, options, entries };
}

export function writePlan(plan: Plan): string {
  const { entries, ...head } = plan;
  return [head, ...entries].map((line) => `${JSON.stringify(line)}\n`).join("");
}

/** A plan that cannot be used, and the line to blame. */
export class PlanError extends Error {
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

/** Reads what `writePlan` wrote. Throws PlanError. */
export function readPlan(text: string): Plan {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const head = objectOf(lines[0] ?? "", 1);
  if (head.schema !== PLAN_SCHEMA) {
    throw new PlanError(1, `expected "schema": "${PLAN_SCHEMA}", found ${shown(head.schema)}`);
  }
  const { tool, options, root } = head as Partial<Plan>;
  const strings = (value: unknown): boolean =>
    Array.isArray(value) && value.every((item) => typeof item === "string");
  if (typeof tool?.version !== "string" || typeof tool.core !== "string") {
    throw new PlanError(1, "expected the tool's version and core");
  }
  if (!strings(options?.policies) || typeof options?.window !== "string") {
    throw new PlanError(1, "expected options with policies and a window");
  }
  const entries = lines.slice(1).map((line, i) => entryOf(objectOf(line, i + 2), i));
  const plan: Plan = { schema: PLAN_SCHEMA, tool, options, entries };
  if (typeof root === "string") plan.root = root;
  return plan;
}

function objectOf(line: string, number: number): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new PlanError(number, "expected a line of JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new PlanError(number, `expected an object, found ${shown(value)}`);
  }
  return value as Record<string, unknown>;
}

function entryOf(value: Record<string, unknown>, index: number): PlanEntry {
  const { id, name, files, labels } = value as Partial<PlanEntry>;
  const wrong =
    value.index !== index
      ? `index ${index}`
      : typeof id !== "string" || !/^[0-9a-f]{32}$/.test(id)
        ? "an id of 32 hexadecimal digits"
        : typeof name !== "string"
          ? "a name"
          : !Array.isArray(files) || !files.every((file) => typeof file?.name === "string")
            ? "files with names"
            : typeof labels !== "object" || labels === null
              ? "labels"
              : null;
  if (wrong !== null) throw new PlanError(index + 2, `expected ${wrong}`);
  return { index, id: id!, name: name!, files: files!, labels: labels! };
}

const shown = (value: unknown): string => JSON.stringify(value) ?? "nothing";

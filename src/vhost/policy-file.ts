/**
 * A policy described by its user: a vendor's kernel as a base and the patches that it took, or as
 * the causes that it logs. Schema: schema/policy-file.schema.json.
 */
import { type Place, quoteFound, RecordingError, UsageError } from "../model/place.ts";
import { causeMask } from "./causes.ts";
import { findPolicy, type Policy } from "./policy.ts";
import { seriesPolicy } from "./policy-row.ts";
import { NO_PATCHES, PATCHES, type Series } from "./series.ts";

/** Characters of a policy file. */
const MOST_TEXT = 65536;

const KEYS = [
  "$schema",
  "name",
  "title",
  "base",
  "patches",
  "switches",
  "logs",
  "note",
  "evidence",
];

/** Switches that a file may set, with their values. */
const SWITCHES: Readonly<Record<string, readonly unknown[]>> = {
  mapError: ["bad-target", "errno"],
  flush: [true, false],
  ebusy: [true, false],
  piCheck: [true, false],
  inOrderRange: [true, false],
  freeOnOff: [true, false],
  capture: ["pop", "completion"],
  buffers: ["none", "setup", "toggle", "lazy"],
};

/**
 * The policy that a JSON text describes; `place.file` names the file in errors. `base` is any name
 * that `findPolicy` knows and gives what the file does not say; `patches` replaces the base's;
 * `logs` names causes and replaces whatever would follow from patches. A name that a row of the
 * table has is refused. Throws RecordingError that names the key.
 */
export function readPolicyFile(json: string, place: Place): Policy {
  const fail = (key: string, expected: string, found?: unknown): never => {
    const text = found === undefined ? "nothing" : quoteFound(asText(found));
    throw new RecordingError({ file: place.file, at: `${place.at}:${key}` }, expected, text);
  };
  if (json.length > MOST_TEXT) {
    throw new RecordingError(place, `at most ${MOST_TEXT} characters`, `${json.length}`);
  }
  const file = parseObject(json, place);
  const unknown = Object.keys(file).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) fail(unknown.slice(0, 60), `only the keys ${KEYS.join(", ")}`);

  const text = (key: string): string | undefined => {
    const value = file[key];
    if (value === undefined) return undefined;
    if (typeof value === "string" && /^[^\p{Cc}]{1,400}$/u.test(value)) return value;
    return fail(key, "a text of 1 to 400 characters, without control characters", value);
  };
  const list = (key: string): unknown[] | undefined => {
    const value = file[key];
    if (value === undefined || (Array.isArray(value) && value.length <= 64)) return value;
    return fail(key, "a list of at most 64", value);
  };

  const name = text("name") ?? fail("name", "a name");
  if (!/^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/.test(name)) {
    fail("name", "up to 64 letters, digits and . _ + -, such as acme-5.14", name);
  }
  if (isTaken(name)) fail("name", "a name that no policy has", name);
  const base = baseOf(text("base"), (found) => fail("base", "the name of a policy", found));
  const patches = list("patches")?.map((n) =>
    Number.isInteger(n) && (n as number) >= 1 && (n as number) <= PATCHES.length
      ? (n as number)
      : fail("patches", `numbers from 1 to ${PATCHES.length}`, n),
  );
  const switches = readSwitches(file.switches, fail);
  const causes = list("logs")?.map((cause) =>
    typeof cause === "string" && causeMask(cause) !== 0n
      ? causeMask(cause)
      : fail("logs", "names of causes such as io-logged (policies NAME shows them)", cause),
  );
  if (causes && (patches || file.switches !== undefined)) {
    fail("logs", "causes, or patches and switches, not both", file.logs);
  }
  if (!causes && !base && !patches) fail("base", "a base, patches, or logs");
  if (!causes && base && !base.series && (patches || file.switches !== undefined)) {
    fail("base", "a kernel: patches and switches make no sense for another vhost", base.name);
  }
  const evidence = (list("evidence") ?? [`described by ${place.file}`]).map((line) =>
    typeof line === "string" ? line.slice(0, 400) : fail("evidence", "a list of texts", line),
  );
  const title = text("title") ?? `as described by ${place.file}`;
  const note = text("note");
  const row = { name, title, evidence, ...(note === undefined ? {} : { note }) };

  if (causes || (base && !base.series)) {
    const logs = causes ? causes.reduce((bits, bit) => bits | bit, 0n) : base!.logs;
    return { ...(base ? unnamed(base) : {}), ...row, aliases: [], logs };
  }
  const series: Series = { ...(base?.series ?? NO_PATCHES), ...switches };
  const chosen = patches ? [...new Set(patches)].sort((a, b) => a - b) : series.patches;
  return seriesPolicy({ ...series, patches: chosen }, row);
}

/** What a row passes on to one that is described by it. */
function unnamed(base: Policy): Partial<Policy> {
  const { drivers, manner } = base;
  return { ...(drivers ? { drivers } : {}), ...(manner ? { manner } : {}) };
}

function readSwitches(
  value: unknown,
  fail: (key: string, expected: string, found?: unknown) => never,
): Partial<Series> {
  if (value === undefined) return {};
  if (!isObject(value)) return fail("switches", "an object", value);
  for (const [key, choice] of Object.entries(value)) {
    const values = Object.hasOwn(SWITCHES, key) ? SWITCHES[key] : undefined;
    const where = `switches.${key.slice(0, 60)}`;
    if (!values) return fail(where, `one of ${Object.keys(SWITCHES).join(", ")}`, key);
    if (!values.includes(choice)) return fail(where, `one of ${values.join(", ")}`, choice);
  }
  return value;
}

function isTaken(name: string): boolean {
  return baseOf(name, () => undefined) !== undefined;
}

function baseOf(
  name: string | undefined,
  unknown: (name: string) => undefined,
): Policy | undefined {
  if (name === undefined) return undefined;
  try {
    return findPolicy(name);
  } catch (error) {
    if (error instanceof UsageError) return unknown(name);
    throw error;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing");
}

function parseObject(json: string, place: Place): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new RecordingError(place, "a policy file: one JSON object", quoteFound(json));
  }
  if (!isObject(value)) {
    throw new RecordingError(place, "a policy file: one JSON object", quoteFound(asText(value)));
  }
  return value;
}

/** Writes a probe as a line for kprobe_events (Documentation/trace/kprobetrace.rst). */
import { checked, checkedAll } from "./outside-value.ts";
import type { PlacedField, PlacedProbe } from "./resolve.ts";

/** The group of the events; recordings and the replay know them by their names alone. */
export const GROUP = "vl";

/** `regs`: registers and offsets, any kernel. `btf`: names, which the kernel looks up itself. */
export const FORMS = ["btf", "regs"] as const;
export type Form = (typeof FORMS)[number];

/** What a kernel takes; from its version, where that is known. */
export interface Abilities {
  /** BTF arguments of functions in modules: 6.6. */
  names: boolean;
  /** Entry arguments in a return probe: 6.9. */
  entryInReturn: boolean;
}

/** The abilities of a kernel release such as `6.12.57+deb13-amd64`; null when it is none. */
export function abilitiesOf(release: string): Abilities | null {
  const match = /^(\d+)\.(\d+)/.exec(release);
  if (!match) return null;
  const number = Number(match[1]) * 1000 + Number(match[2]);
  return { names: number >= 6006, entryInReturn: number >= 6009 };
}

/** The line that defines the probe. */
export function definition(probe: PlacedProbe, form: Form, abilities: Abilities): string {
  const { kind, event } = probe.probe;
  const type = kind === "entry" ? "p" : kind === "return" ? "r" : "r64";
  const fields = probe.fields
    .filter(({ field }) => !field.onlyNamed || (form === "btf" && abilities.entryInReturn))
    .map((field) => (form === "btf" ? named(field) : raw(field)));
  return [
    `${type}:${GROUP}/${checked("event", event)}`,
    target(probe, form),
    ...checkedAll("fetch argument", fields),
  ].join(" ");
}

function target(probe: PlacedProbe, form: Form): string {
  // With a module in front the kernel does not find the function's BTF; `%return` makes it look
  // for the parameters of a return probe.
  const name = checked("function", probe.function);
  if (form === "btf") return name + (probe.probe.kind === "entry" ? "" : "%return");
  return probe.module === null ? name : `${checked("module", probe.module)}:${name}`;
}

function raw({ field, register, offset }: PlacedField): string {
  const { fetch, name, type } = field;
  const from = (): string => {
    switch (fetch.from) {
      case "return":
        return "$retval";
      case "parameter":
        return `${register}`;
      case "member":
        return `+${offset}(${register})`;
      case "behind":
        return `+${fetch.offset}(+${offset}(${register}))`;
      case "memory":
        return `+${fetch.offset}(${register})`;
      case "user":
        return `+u${fetch.offset}(${register})`;
    }
  };
  return `${name}=${from()}:${type}`;
}

function named({ field, index }: PlacedField): string {
  const { fetch, name, named: type } = field;
  const from = (): string => {
    switch (fetch.from) {
      case "return":
        return "$retval";
      case "parameter":
        return fetch.parameter;
      case "member":
        return `${fetch.parameter}->${fetch.member}`;
      case "behind":
        return `+${fetch.offset}(${fetch.parameter}->${fetch.member})`;
      case "memory":
        return `+${fetch.offset}(${fetch.parameter})`;
      case "user":
        // A number, because a name that is no pointer cannot be followed.
        return `+u${fetch.offset}($arg${(index ?? 0) + 1})`;
    }
  };
  return `${name}=${from()}${type === null ? "" : `:${type}`}`;
}

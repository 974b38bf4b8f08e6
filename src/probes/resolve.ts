/** Puts the recipe on one kernel: looks functions, parameters and members up in its BTF. */

import { quoteFound } from "../model/place.ts";
import type { Btf } from "./btf/btf.ts";
import {
  type Architecture,
  argumentRegister,
  type Signature,
  signatureOf,
} from "./btf/calling-convention.ts";
import { memberOf } from "./btf/layout.ts";
import type { Fetch, Field, Point, Probe } from "./recipe.ts";

/** A field with the numbers of this kernel. */
export interface PlacedField {
  field: Field;
  /** 0-based position of the parameter; null for a return value. */
  index: number | null;
  register: string | null;
  /** Of the member in its structure; 0 where there is none. */
  offset: number;
}

export interface PlacedProbe {
  probe: Probe;
  function: string;
  /** The module that holds the function; null when it is built in. */
  module: string | null;
  fields: PlacedField[];
}

export interface MissingProbe {
  event: string;
  function: string;
  why: string;
  without: string;
}

export interface Placement {
  placed: PlacedProbe[];
  missing: MissingProbe[];
}

/** The BTF of one kernel: vmlinux, and the modules by name. */
export interface Kernel {
  vmlinux: Btf;
  modules: ReadonlyMap<string, Btf>;
}

/**
 * Places each probe, or says why it cannot be. Throws RecordingError for BTF whose references are
 * broken, as those of a module with another kernel's vmlinux.
 */
export function placeProbes(
  probes: readonly Probe[],
  kernel: Kernel,
  architecture: Architecture,
): Placement {
  const placement: Placement = { placed: [], missing: [] };
  for (const probe of probes) {
    for (const alternatives of probe.points) {
      const found = place(probe, alternatives, kernel, architecture);
      if ("why" in found) placement.missing.push(found);
      else placement.placed.push(found);
    }
  }
  return placement;
}

function place(
  probe: Probe,
  alternatives: readonly Point[],
  kernel: Kernel,
  architecture: Architecture,
): PlacedProbe | MissingProbe {
  let best: MissingProbe | null = null;
  for (const point of alternatives) {
    const found = placeAt(probe, point, kernel, architecture);
    if (typeof found !== "string") return found;
    best = { event: probe.event, function: point.function, why: found, without: probe.without };
  }
  if (!best) throw new Error(`bug: the recipe has no place for ${probe.event}`);
  return best;
}

function placeAt(
  probe: Probe,
  point: Point,
  kernel: Kernel,
  architecture: Architecture,
): PlacedProbe | string {
  const module = kernel.modules.get(point.module);
  const candidates = module ? [module, kernel.vmlinux] : [kernel.vmlinux];
  for (const btf of candidates) {
    const signature = signatureOf(btf, point.function);
    if (!signature) continue;
    const fields: PlacedField[] = [];
    for (const field of point.fields) {
      const placed = placeField(btf, signature, field, architecture);
      if (typeof placed === "string") return placed;
      fields.push(placed);
    }
    const home = btf === kernel.vmlinux ? null : point.module;
    return { probe, function: point.function, module: home, fields };
  }
  if (module) return `no function ${point.function} in the BTF of ${point.module}`;
  return `module ${point.module} has no BTF here (not loaded?), nor is ${point.function} built in`;
}

function placeField(
  btf: Btf,
  signature: Signature,
  field: Field,
  architecture: Architecture,
): PlacedField | string {
  const { fetch } = field;
  if (fetch.from === "return") return { field, index: null, register: null, offset: 0 };
  const index = signature.parameters.findIndex(({ name }) => name === fetch.parameter);
  if (index < 0) return `it has no parameter ${quoteFound(fetch.parameter)} here`;
  const argument = argumentRegister(btf, signature, index, architecture);
  if (typeof argument === "string") return argument;
  const offset = offsetOf(btf, fetch, field.type);
  if (typeof offset === "string") return offset;
  return { field, index, register: argument.register, offset };
}

function offsetOf(btf: Btf, fetch: Fetch, type: string): number | string {
  if (fetch.from !== "member" && fetch.from !== "behind") return 0;
  const layout = memberOf(btf, fetch.structure, fetch.member);
  if (typeof layout === "string") return layout;
  // A member of another width would be read past its end, or in part.
  const width = fetch.from === "behind" ? 8 : Number(type.slice(1)) / 8;
  if (layout.size === width) return layout.offset;
  return `${fetch.structure}.${fetch.member} has ${layout.size ?? "unknown"} bytes here, not ${width}`;
}

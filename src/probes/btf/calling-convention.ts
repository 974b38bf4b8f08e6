/** In which register a function's parameter arrives. */
import { type Btf, BtfKind, type BtfParameter } from "./btf.ts";
import { memberOf, resolve, sizeOf } from "./layout.ts";

/** Machines whose kernels are known, by `uname -m`. */
export const ARCHITECTURES = ["x86_64", "arm64"] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

/**
 * Registers of the first integer parameters, as kprobe events name them.
 * x86-64: System V ABI 3.2.3, names of arch/x86/kernel/ptrace.c regoffset_table.
 * arm64: AAPCS64 6.8.2 (x0 to x7), names of arch/arm64/kernel/ptrace.c.
 */
const REGISTERS: Record<Architecture, readonly string[]> = {
  x86_64: ["%di", "%si", "%dx", "%cx", "%r8", "%r9"],
  arm64: ["%x0", "%x1", "%x2", "%x3", "%x4", "%x5", "%x6", "%x7"],
};

/** A register that only this machine has in its struct pt_regs. */
const MARKS: Record<Architecture, string> = { x86_64: "di", arm64: "pstate" };

/** The machine that a vmlinux was built for; null when it is none that is known. */
export function architectureOf(vmlinux: Btf): Architecture | null {
  const known = ARCHITECTURES.filter(
    (architecture) => typeof memberOf(vmlinux, "pt_regs", MARKS[architecture]) !== "string",
  );
  return known.length === 1 ? (known[0] ?? null) : null;
}

/** A function as BTF tells it. */
export interface Signature {
  parameters: BtfParameter[];
  returns: number;
}

/** The function with this name that this blob defines; null when there is none. */
export function signatureOf(btf: Btf, name: string): Signature | null {
  const id = btf.find(name, [BtfKind.Func]);
  if (id === null) return null;
  const proto = btf.sizeOrType(id);
  if (btf.kind(proto) !== BtfKind.FuncProto) return null;
  return { parameters: btf.parameters(proto), returns: btf.sizeOrType(proto) };
}

/**
 * The register of the parameter at `index`. A text says why it cannot be told: it goes over the
 * stack, or something before it is passed by value and may take any number of registers.
 */
export function argumentRegister(
  btf: Btf,
  signature: Signature,
  index: number,
  architecture: Architecture,
): { register: string } | string {
  if (!isScalar(btf, signature.returns) && resolve(btf, signature.returns) !== 0) {
    return "the function returns a structure";
  }
  for (let at = 0; at <= index; at++) {
    const parameter = signature.parameters[at];
    if (!parameter || !isScalar(btf, parameter.type)) {
      return `parameter ${at + 1} is passed by value and is no integer`;
    }
  }
  const register = REGISTERS[architecture][index];
  return register === undefined ? `parameter ${index + 1} is on the stack` : { register };
}

/** An integer, enum or pointer that fits a register. */
function isScalar(btf: Btf, id: number): boolean {
  const type = resolve(btf, id);
  if (type === null || type === 0) return false;
  const kinds: number[] = [BtfKind.Int, BtfKind.Ptr, BtfKind.Enum, BtfKind.Enum64];
  return kinds.includes(btf.kind(type)) && (sizeOf(btf, type) ?? 9) <= 8;
}

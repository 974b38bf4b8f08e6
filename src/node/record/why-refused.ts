/** Why a kernel refuses a probe, where it can be looked up: its own words are about an address. */
import { errorCode, type Host } from "./host.ts";

const SYMBOLS = "/proc/kallsyms";
/** debugfs: functions in which no probe may be, an address range and a name a line. */
const BLACKLIST = "/sys/kernel/debug/kprobes/blacklist";
/** What compilers make of a function; its arguments may be gone or elsewhere. */
const MADE_OF = /\.(?:isra|constprop|part|cold|llvm)[.\w]*/;

/**
 * A sentence for a refused definition (`p:vl/desc vhost:translate_desc …`) and the system call's error; null
 * when nothing more is known than what the kernel says.
 */
export function whyRefused(host: Host, definition: string, error: unknown): string | null {
  if (["EACCES", "EPERM", "EROFS"].includes(errorCode(error))) {
    return "tracefs may not be written here: in a container, or under a security module; record on the host itself";
  }
  const name = /^[pr]\d*:\S+ (?:\w+:)?(\w+)/.exec(definition)?.[1];
  if (name === undefined) return null;
  if (lines(host, BLACKLIST).some((line) => line.split(/\s+/).includes(name))) {
    return `${name} is on this kernel's blacklist of probes`;
  }
  const symbols = lines(host, SYMBOLS).flatMap((line) => line.split(/\s+/)[2] ?? []);
  if (symbols.length === 0 || symbols.includes(name)) return null;
  const made = symbols.find((symbol) => symbol.startsWith(`${name}.`) && MADE_OF.test(symbol));
  if (made === undefined) return `${name} is not in this kernel: inlined, or of another build`;
  return `the compiler made ${made} of ${name}: its arguments are not where the source has them`;
}

function lines(host: Host, path: string): string[] {
  try {
    return host.read(host.root + path).split("\n");
  } catch {
    return [];
  }
}

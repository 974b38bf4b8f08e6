/** What a bundle says of the kernel, beside its version: the configuration that decides, modules. */

import { readFileSync, statSync } from "node:fs";
import process from "node:process";
import { gunzipSync } from "node:zlib";

import { checked } from "../../probes/outside-value.ts";

/** Configuration bits that decide what can be recorded, and how vhost is built. */
const CONFIG =
  /^(?:# )?(CONFIG_(?:VHOST\w*|TCM_VHOST|TARGET_CORE|KPROBES|KPROBE_EVENTS|KRETPROBES|RETHOOK|FTRACE|TRACING|DEBUG_INFO_BTF|DEBUG_INFO_BTF_MODULES|PROBE_EVENTS_BTF_ARGS|HAVE_FUNCTION_ARG_ACCESS_API|SECURITY_LOCKDOWN_LSM|PREEMPT\w*|X86_64|ARM64|CC_VERSION_TEXT|CC_IS_GCC|CC_IS_CLANG|LTO_\w+|RANDSTRUCT_\w+))(?:=| is not set)/;

const MODULES = ["vhost", "vhost_iotlb", "vhost_scsi", "vhost_net", "vhost_vsock", "tun", "tap"];

/** The lines of the kernel's configuration that matter; empty where it does not show it. */
export function configLines(ownRelease: string): string[] {
  const release = checked("kernel release", ownRelease);
  const text =
    readOptional(() => gunzipSync(readFileSync("/proc/config.gz")).toString()) ??
    readOptional(() => readFileSync(`/boot/config-${release}`, "utf8")) ??
    readOptional(() => readFileSync(`/lib/modules/${release}/config`, "utf8")) ??
    "";
  return text.split("\n").filter((line) => CONFIG.test(line));
}

/** Loaded modules that the probes lie in, and the version of their source, where it is known. */
export function loadedModules(): { name: string; srcversion: string | null }[] {
  return MODULES.flatMap((name) => {
    const folder = `/sys/module/${name}`;
    if (readOptional(() => readFileSync(`${folder}/refcnt`, "utf8")) === null) return [];
    const source = readOptional(() => readFileSync(`${folder}/srcversion`, "utf8").trim());
    return [{ name, srcversion: source }];
  });
}

/** What tells a loaded module from the same one loaded again: the number of its folder in sysfs. */
export function moduleNumbers(): Map<string, number> {
  const numbers = new Map<string, number>();
  for (const name of MODULES) {
    const stat = statSync(`/sys/module/${name}`, { throwIfNoEntry: false });
    if (stat) numbers.set(name, stat.ino);
  }
  return numbers;
}

/** Which of these modules was unloaded, or loaded anew, since; null when none was. */
export function reloaded(before: ReadonlyMap<string, number>): string | null {
  const now = moduleNumbers();
  for (const [name, number] of before) {
    if (now.get(name) !== number) return `the module ${name} was unloaded`;
  }
  return null;
}

function readOptional<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}

/** The same moment on both clocks, in nanoseconds. */
export interface ClockPair {
  realtimeNs: string;
  monotonicNs: string;
}

/**
 * CLOCK_REALTIME and CLOCK_MONOTONIC. Node.js gives the first one in milliseconds only, so it is
 * read at the moment at which the millisecond changes: exact to some microseconds.
 */
export function clockPair(): ClockPair {
  const before = Date.now();
  let now = before;
  while (now === before) now = Date.now();
  return {
    realtimeNs: `${BigInt(now) * 1_000_000n}`,
    monotonicNs: `${process.hrtime.bigint()}`,
  };
}

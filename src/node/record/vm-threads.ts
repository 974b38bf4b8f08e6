/** Which threads work for one virtual machine. */
import { readdirSync, readFileSync } from "node:fs";
import { UsageError } from "../../model/place.ts";

function nameOf(path: string): string | null {
  try {
    return readFileSync(`${path}/comm`, "utf8").trimEnd();
  } catch {
    return null;
  }
}

function numbersIn(path: string): number[] {
  try {
    return readdirSync(path).flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
  } catch {
    return [];
  }
}

/**
 * The threads of a process, and its vhost workers: since Linux 6.4 they are threads of it, before
 * that kernel threads; both are named `vhost-PID` (vhost_task_create(), kthread_create()). Throws
 * UsageError when it has no worker yet: a later one would not be recorded, because the kernel does
 * not count it as a child.
 */
export function threadsOf(pid: number): number[] {
  const own = numbersIn(`/proc/${pid}/task`);
  if (own.length === 0) throw new UsageError(`--pid: no process ${pid}`);
  const worker = `vhost-${pid}`;
  const kernel = numbersIn("/proc").filter((each) => nameOf(`/proc/${each}`) === worker);
  const has = own.some((thread) => nameOf(`/proc/${pid}/task/${thread}`) === worker);
  if (kernel.length === 0 && !has) {
    throw new UsageError(
      `--pid: process ${pid} has no vhost worker yet; record when its vhost devices run, or leave out --pid`,
    );
  }
  return [...new Set([...own, ...kernel])];
}

/** Boots one machine under QEMU without KVM and brings back what it left on its disk. */
import { existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LabError, run, runLogged } from "./command.ts";
import type { Kernel } from "./kernels.ts";
import { BUILD } from "./paths.ts";

export interface Machine {
  /** Of the files below BUILD, and in messages. */
  name: string;
  kernel: Kernel;
  initramfs: Buffer;
  /** `lab.NAME=VALUE` for the command line. */
  settings: Readonly<Record<string, string>>;
  memoryMiB: number;
  seconds: number;
  /** Two processors, or one whose clock counts instructions. */
  processor?: "two" | "counted";
  /** Further disks and the like. */
  qemu?: readonly string[];
}

/** Multi-threaded TCG now and then trips over the kernel's patching of its own code at boot. */
const TRIES = 3;
const DISK_BYTES = 1 << 30;

const PROCESSORS = {
  two: { qemu: ["-accel", "tcg,thread=multi", "-smp", "2"], kernel: "" },
  counted: {
    qemu: ["-accel", "tcg,thread=single", "-smp", "1", "-icount", "shift=0,sleep=off"],
    // Else the kernel may find the counter unstable, and count run time by ticks.
    kernel: "tsc=reliable",
  },
};

/**
 * Boots, waits for the end, and unpacks the results into `folder`, with the console beside them.
 * Throws LabError when no try came to its end.
 */
export async function boot(machine: Machine, folder: string): Promise<void> {
  mkdirSync(BUILD, { recursive: true });
  const base = join(BUILD, machine.name);
  const disk = `${base}.disk`;
  const log = `${base}.console`;
  writeFileSync(`${base}.cpio.gz`, machine.initramfs);
  const processor = PROCESSORS[machine.processor ?? "two"];
  const settings = Object.entries(machine.settings).map(([key, value]) => `lab.${key}=${value}`);
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    rmSync(disk, { force: true });
    writeFileSync(disk, "");
    truncateSync(disk, DISK_BYTES);
    await runLogged(
      "qemu-system-x86_64",
      [
        ...processor.qemu,
        ...["-cpu", "max", "-m", String(machine.memoryMiB), "-nographic", "-no-reboot"],
        ...["-net", "none", "-kernel", machine.kernel.vmlinuz, "-initrd", `${base}.cpio.gz`],
        "-append",
        `console=ttyS0 quiet panic=-1 oops=panic mitigations=off ${processor.kernel} ${settings.join(" ")}`,
        ...["-drive", `file=${disk},format=raw,if=virtio,cache=unsafe`],
        ...(machine.qemu ?? []),
      ],
      log,
      machine.seconds,
    );
    if (/LAB done/.test(readFileSync(log, "latin1"))) {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true });
      run("tar", ["xf", disk, "-C", folder]);
      writeFileSync(join(folder, "console.txt"), readFileSync(log));
      rmSync(disk);
      rmSync(`${base}.cpio.gz`);
      return;
    }
    console.error(`lab: ${machine.name}: try ${attempt} did not come to its end`);
    if (existsSync(log)) writeFileSync(`${base}.failed-${attempt}.console`, readFileSync(log));
  }
  throw new LabError(`${machine.name}: no try came to its end; see ${base}.failed-*.console`);
}

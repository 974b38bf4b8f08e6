/**
 * A real live migration inside a machine: two QEMUs with vhost-scsi-pci, the memory of both
 * compared page by page afterwards. Results in RESULTS/migration/NAME, in the layout that
 * docs/lab.md lists.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { LabError, run } from "./command.ts";
import { baseArchive, compile } from "./initramfs.ts";
import type { Kernel } from "./kernels.ts";
import { boot } from "./machine.ts";
import { BUILD, LAB, RESULTS } from "./paths.ts";
import { recordScript } from "./record-script.ts";
import { type StaleVerdict, staleVerdict } from "./stale.ts";
import { addQemu } from "./stock-qemu.ts";

const PAGE_BYTES = 4096;
const LUN_BLOCKS = 16384;
const BLOCK_BYTES = 512;

/** Whether requests complete at once, or are held across LOG_ALL by a throttled disk. */
export type Load = "normal" | "inflight";
export const LOAD_NAMES: readonly Load[] = ["normal", "inflight"];

const LOADS: Record<Load, { guest: string; throttle: string | null }> = {
  normal: { guest: "cpu=128", throttle: null },
  // No short and no failed reads, so that every page of a late completion differs for certain.
  inflight: { guest: "cpu=128,under=0,sense=0,ready=40", throttle: "throttling.iops-total=4" },
};

export interface Migration {
  name: string;
  release: string;
  load: Load;
  folder: string;
  /** Pages whose content differs, by what they are. */
  differ: Map<string, number>;
  verdict: StaleVerdict;
}

/** A disk in which every word says where it stands, so that no two blocks are equal. */
function lunImage(): Buffer {
  const image = Buffer.alloc(LUN_BLOCKS * BLOCK_BYTES);
  const words = BLOCK_BYTES / 8;
  for (let index = 0; index < LUN_BLOCKS * words; index++) {
    const [block, word] = [BigInt(Math.floor(index / words)), BigInt(index % words)];
    image.writeBigUInt64LE((0x4c42n << 48n) | (block << 8n) | word, index * 8);
  }
  return image;
}

/** The guest's program, for a loader of multiboot images. */
function guestProgram(): Buffer {
  const output = join(BUILD, "reader.elf");
  const folder = join(LAB, "guest");
  run("gcc", [
    ...["-m32", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding"],
    ...["-fno-pic", "-fno-pie", "-fno-stack-protector", "-fno-asynchronous-unwind-tables"],
    ...["-mno-sse", "-mno-mmx", "-nostdlib", "-static", "-no-pie", "-Wl,-melf_i386"],
    `-Wl,-T${join(folder, "reader.ld")},--build-id=none,-z,noexecstack,--no-warn-rwx-segments`,
    ...["-o", output, join(folder, "reader.c")],
  ]);
  return readFileSync(output);
}

/**
 * Boots the kernel, migrates, and compares; `recheck`: compares what lies there. Throws LabError.
 */
export async function migrate(
  kernel: Kernel,
  load: Load,
  form: string,
  recheck: boolean,
): Promise<Migration> {
  const name = load === "normal" ? kernel.name : `${kernel.name}-${load}`;
  const folder = join(RESULTS, "migration", name);
  if (!recheck) await moveGuest(kernel, load, form, folder);
  const [differ, verdict] = [compareMemory(folder), staleVerdict(folder)];
  return { name, release: kernel.release, load, folder, differ, verdict };
}

/** The migration itself; leaves its result in `folder`. */
async function moveGuest(kernel: Kernel, load: Load, form: string, folder: string): Promise<void> {
  const name = basename(folder);
  const { guest, throttle } = LOADS[load];
  mkdirSync(BUILD, { recursive: true });
  const archive = baseArchive(kernel, recordScript(kernel));
  addQemu(archive);
  archive.file("reader.elf", guestProgram());
  const lun = lunImage();
  if (throttle === null) archive.file("lun.raw", lun);
  for (const tool of ["clock", "qmp"]) {
    archive.file(`bin/${tool}`, compile(tool, [join(LAB, "vm", "tools", `${tool}.c`)]));
  }
  for (const events of ["events-source.txt", "events-destination.txt"]) {
    archive.file(`lab/${events}`, readFileSync(join(LAB, "vm", events)));
  }
  const disk = join(BUILD, `lun-${name}.raw`);
  writeFileSync(disk, lun);
  await boot(
    {
      name: `migration-${name}`,
      kernel,
      initramfs: archive.finish(),
      settings: {
        ...{ suite: "migrate", form, guest },
        ...(throttle === null ? {} : { lun: "/dev/vdb" }),
      },
      memoryMiB: 4096,
      seconds: 600,
      qemu:
        throttle === null
          ? []
          : ["-drive", `file=${disk},format=raw,if=virtio,cache=unsafe,${throttle}`],
    },
    folder,
  );
  rmSync(disk);
  for (const side of ["src", "dst"]) {
    if (!existsSync(join(folder, `ram-${side}.bin`))) {
      throw new LabError(`${folder}: no memory of ${side}; see console.txt, stderr-${side}.txt`);
    }
  }
  copyFileSync(join(LAB, "guest", "layout.txt"), join(folder, "layout.txt"));
  for (const file of ["trace.txt", "src.log", "dst.log", "ram-src.bin", "ram-dst.bin"]) {
    const path = join(folder, file);
    writeFileSync(`${path}.gz`, gzipSync(readFileSync(path)));
    rmSync(path);
  }
}

interface Part {
  name: string;
  first: number;
  last: number;
}

function layout(folder: string): Part[] {
  return readFileSync(join(folder, "layout.txt"), "utf8")
    .split("\n")
    .filter((line) => /^[a-z]/.test(line))
    .map((line) => {
      const [name = "", first, last] = line.split(" ");
      return { name, first: Number(first), last: Number(last) };
    });
}

/** Writes differ.txt: each page whose content differs, and what it is. */
function compareMemory(folder: string): Map<string, number> {
  const memory = (side: string) => gunzipSync(readFileSync(join(folder, `ram-${side}.bin.gz`)));
  const [source, destination] = [memory("src"), memory("dst")];
  if (source.length !== destination.length) throw new LabError(`${folder}: memory cut short`);
  const parts = layout(folder);
  const counts = new Map<string, number>();
  const lines: string[] = [];
  for (let page = 0; page * PAGE_BYTES < source.length; page++) {
    const [from, to] = [page * PAGE_BYTES, (page + 1) * PAGE_BYTES];
    if (source.subarray(from, to).equals(destination.subarray(from, to))) continue;
    const part = parts.find(({ first, last }) => page >= first && page <= last)?.name ?? "other";
    counts.set(part, (counts.get(part) ?? 0) + 1);
    lines.push(`0x${page.toString(16)} ${part}\n`);
  }
  writeFileSync(join(folder, "differ.txt"), lines.join(""));
  return counts;
}

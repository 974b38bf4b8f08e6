/** Puts together what a machine of the lab boots into: busybox, modules, the lab's own programs. */
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./command.ts";
import { Cpio } from "./cpio.ts";
import type { Kernel } from "./kernels.ts";
import { modulesOf } from "./modules.ts";
import { BUILD, LAB } from "./paths.ts";
import { findProgram } from "./tools.ts";

/** In the order of need; what a kernel has built in, or does not have, is left out. */
const MODULES = [
  ...["virtio_pci", "virtio_blk", "configfs"],
  ...["target_core_mod", "target_core_file", "target_core_iblock", "null_blk"],
  ...["vhost", "vhost_iotlb", "vhost_scsi"],
  ...["tun", "tap", "vhost_net", "vsock", "vhost_vsock"],
];

const FLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-static"];

/** Compiles C sources into one static program and returns its bytes. */
export function compile(name: string, sources: readonly string[]): Buffer {
  mkdirSync(BUILD, { recursive: true });
  const output = join(BUILD, name);
  run("gcc", [...FLAGS, "-o", output, ...sources]);
  return readFileSync(output);
}

function sourcesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".c"))
    .map((name) => join(folder, name));
}

/** A dynamically linked program with the libraries that it names. */
export function addDynamic(archive: Cpio, path: string, program: string): void {
  archive.file(path, readFileSync(program));
  for (const [library] of run("ldd", [program]).matchAll(/\/\S+/g)) {
    archive.file(library.replace(/^\//, ""), readFileSync(library));
  }
}

/** The base of every machine: add files to it, then `finish()`. */
export function baseArchive(kernel: Kernel, recordScript: string): Cpio {
  const archive = new Cpio();
  for (const folder of ["proc", "sys", "dev", "tmp", "out", "run"]) archive.folder(folder);
  const busybox = findProgram("busybox") ?? "busybox";
  archive.file("bin/busybox", readFileSync(busybox));
  for (const applet of run(busybox, ["--list"]).trim().split("\n")) {
    if (applet !== "busybox") archive.link(`bin/${applet}`, "busybox");
  }
  addDynamic(archive, "bin/trace-cmd", findProgram("trace-cmd") ?? "trace-cmd");
  archive.file("bin/exercise", compile("exercise", sourcesIn(join(LAB, "vm", "exerciser"))));
  modulesOf(kernel, MODULES).forEach(({ name, image }, index) => {
    archive.file(`modules/${String(index).padStart(2, "0")}-${name}.ko`, image);
  });
  archive.file("init", readFileSync(join(LAB, "vm", "init.sh")));
  for (const name of readdirSync(join(LAB, "vm")).filter((file) => file.endsWith(".sh"))) {
    archive.file(`lab/${name}`, readFileSync(join(LAB, "vm", name)));
  }
  archive.file("lab/record.sh", recordScript);
  return archive;
}

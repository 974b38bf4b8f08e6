/**
 * Debian's QEMU 10.0 for the inner machines, with its libraries, unpacked and not installed: the
 * 7.2 of an older host loses pages by itself under TCG (docs/lab.md).
 */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { LabError, run } from "./command.ts";
import type { Cpio } from "./cpio.ts";
import { Suite } from "./packages.ts";
import { IMAGES } from "./paths.ts";

const FOLDER = join(IMAGES, "qemu10");
const LIBRARIES = join(FOLDER, "usr", "lib", "x86_64-linux-gnu");
const LOADER = join(LIBRARIES, "ld-linux-x86-64.so.2");
const PROGRAM = join(FOLDER, "usr", "bin", "qemu-system-x86_64");

/** What `-M pc -kernel` of a multiboot program needs; the names differ between versions. */
const FIRMWARE = [/^kvmvapic\.bin$/, /^linuxboot(_dma)?\.bin$/, /^multiboot(_dma)?\.bin$/];

/** Fetches it when it is not in the cache. Throws LabError. */
export function fetchQemu(): void {
  if (existsSync(PROGRAM)) return;
  console.error("lab: fetching QEMU from trixie");
  rmSync(`${FOLDER}.part`, { recursive: true, force: true });
  new Suite("trixie-qemu", "trixie").unpackWithDependencies(["qemu-system-x86"], `${FOLDER}.part`);
  rmSync(FOLDER, { recursive: true, force: true });
  renameSync(`${FOLDER}.part`, FOLDER);
  if (!existsSync(PROGRAM)) throw new LabError(`${FOLDER}: no QEMU in the packages`);
}

/** Puts it below /qemu. */
export function addQemu(archive: Cpio): void {
  archive.file("qemu/qemu-system-x86_64", readFileSync(PROGRAM));
  archive.file(`qemu/lib/${basename(LOADER)}`, readFileSync(LOADER));
  const list = run(LOADER, ["--library-path", LIBRARIES, "--list", PROGRAM]);
  for (const [library] of list.matchAll(/(?<==> )\/\S+/g)) {
    archive.file(`qemu/lib/${basename(library)}`, readFileSync(library));
  }
  const share = join(FOLDER, "usr", "share");
  for (const name of readdirSync(join(share, "qemu"))) {
    if (FIRMWARE.some((pattern) => pattern.test(name))) {
      archive.file(`qemu/share/${name}`, readFileSync(join(share, "qemu", name)));
    }
  }
  archive.file("qemu/share/bios-256k.bin", readFileSync(join(share, "seabios", "bios-256k.bin")));
}

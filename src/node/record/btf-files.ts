/** Finds and unpacks the BTF of a kernel and its modules: /sys/kernel/btf, or files of another host. */
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { unwrap } from "../../bytes/decompress.ts";
import { bytesSource } from "../../bytes/memory-source.ts";
import type { Source } from "../../bytes/source.ts";
import { RecordingError, UsageError } from "../../model/place.ts";
import { Btf, looksLikeBtf } from "../../probes/btf/btf.ts";
import { elfSection, looksLikeElf } from "../../probes/btf/elf-section.ts";
import { bzImagePayload, scanForBtf } from "../../probes/btf/kernel-image.ts";
import { fileSource } from "../file-source.ts";

/** The largest kernel seen unpacks to 90 MB; a bomb stops here. */
const MAX_BYTES = 512 << 20;
const MAX_ENTRIES = 200_000;

/** BTF of the kernel, and of those of the modules that were found. */
export interface KernelBtf {
  /** Where it was found, for messages. */
  folder: string;
  vmlinux: Btf;
  modules: Map<string, Btf>;
  /** The bytes, by the names of /sys/kernel/btf. */
  blobs: Map<string, Uint8Array>;
  /** From the name of the kernel's file; null when that has none. */
  version: string | null;
}

/**
 * Reads the BTF of vmlinux and of `modules` from a folder, or from the folders below it: raw blobs
 * named as in /sys/kernel/btf, ELF files (`vhost.ko`, `vmlinux`), a bootable `vmlinuz`, all of them
 * also compressed. `version` picks among several kernels. Throws RecordingError and UsageError.
 */
export async function readKernelBtf(
  folder: string,
  modules: readonly string[],
  version: string | null,
): Promise<KernelBtf> {
  const files = listFiles(folder);
  const kernel = kernelFile(files, folder, version);
  const image = await readBtf(kernel.path, null);
  const vmlinux = new Btf(image, kernel.path);
  const found = new Map<string, Btf>();
  const blobs = new Map([["vmlinux", image]]);
  for (const module of modules) {
    const path = moduleFile(files, module, kernel.version);
    if (path === null) continue;
    const blob = await readElfOrBtf(path);
    const base = blob.base ? new Btf(blob.base, `${path} (.BTF.base)`) : vmlinux;
    found.set(module, new Btf(blob.btf, path, base));
    // With a base of its own the kernel shows other bytes than the file has.
    if (!blob.base) blobs.set(module, blob.btf);
  }
  return { folder, vmlinux, modules: found, blobs, version: kernel.version };
}

interface Found {
  name: string;
  path: string;
}

function listFiles(folder: string): Found[] {
  try {
    const files: Found[] = [];
    const folders = [folder];
    for (let at = 0; at < folders.length; at++) {
      const here = folders[at] ?? folder;
      for (const entry of readdirSync(here, { withFileTypes: true })) {
        const path = join(here, entry.name);
        if (entry.isDirectory()) folders.push(path);
        else if (entry.isFile()) files.push({ name: entry.name, path });
        if (files.length + folders.length > MAX_ENTRIES) {
          throw new UsageError(`${folder}: more than ${MAX_ENTRIES} files; name a smaller folder`);
        }
      }
    }
    return files.sort((a, b) => (a.path < b.path ? -1 : 1));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const why = code === "ENOENT" ? "no such folder" : code === "ENOTDIR" ? "a file" : code;
    throw new RecordingError({ file: folder, at: "" }, "a folder with BTF", why);
  }
}

const KERNEL = /^vmlinu[xz](?:-(\d.*?))?(?:\.(?:btf|xz|zst|gz))?$/;

function kernelFile(
  files: readonly Found[],
  folder: string,
  version: string | null,
): { path: string; version: string | null } {
  const kernels = files.flatMap(({ name, path }) => {
    const match = KERNEL.exec(name);
    const own = match?.[1] ?? /\/modules\/(\d[^/]*)\//.exec(path)?.[1] ?? null;
    return match ? [{ path, version: own }] : [];
  });
  const fitting = kernels.filter(
    (each) => version === null || each.version === null || each.version === version,
  );
  const [first, second] = fitting;
  if (!first && kernels[0]) {
    throw new UsageError(`${folder}: no kernel ${version} there, but ${kernels[0].version}`);
  }
  if (!first) {
    throw new RecordingError({ file: folder, at: "" }, "vmlinux or vmlinuz with BTF", "neither");
  }
  if (second) {
    throw new UsageError(
      `${folder}: more than one kernel (${first.path}, ${second.path}); pick one with --kernel VERSION`,
    );
  }
  return { path: first.path, version: first.version ?? version };
}

function moduleFile(
  files: readonly Found[],
  module: string,
  version: string | null,
): string | null {
  const wanted = new Set(["", ".btf", ".ko", ".ko.xz", ".ko.zst", ".ko.gz"].map((e) => module + e));
  const fitting = files.filter(({ name }) => wanted.has(name.replaceAll("-", "_")));
  const own = fitting.find(({ path }) => version !== null && path.includes(`/${version}/`));
  return (own ?? fitting[0])?.path ?? null;
}

async function readElfOrBtf(path: string): Promise<{ btf: Uint8Array; base: Uint8Array | null }> {
  const bytes = await readAll(fileSource(path));
  if (!looksLikeElf(bytes)) return { btf: bytes, base: null };
  const btf = elfSection(bytes, path, ".BTF");
  if (btf) return { btf, base: elfSection(bytes, path, ".BTF.base") };
  throw new RecordingError(
    { file: path, at: "" },
    "a .BTF section (a kernel with CONFIG_DEBUG_INFO_BTF_MODULES)",
    "none",
  );
}

async function readBtf(path: string, bytesGiven: Uint8Array | null): Promise<Uint8Array> {
  const bytes = bytesGiven ?? (await readAll(fileSource(path)));
  if (looksLikeBtf(bytes)) return bytes;
  const payload = bytesGiven ? null : bzImagePayload(bytes);
  if (payload) return readBtf(path, await unpackKernel(path, payload));
  const btf = looksLikeElf(bytes) ? elfSection(bytes, path, ".BTF") : scanForBtf(bytes);
  if (btf) return btf;
  const why = "none (a kernel without CONFIG_DEBUG_INFO_BTF, or compressed in a way not known)";
  throw new RecordingError({ file: path, at: "" }, "BTF", why);
}

const XZ = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];

/** The kernel's xz streams use the x86 branch filter, which the decoder of this package has not. */
async function unpackKernel(path: string, payload: Uint8Array): Promise<Uint8Array> {
  if (XZ.some((byte, at) => payload[at] !== byte)) return readAll(bytesSource(path, payload));
  try {
    const options = { input: payload, maxBuffer: MAX_BYTES, stdio: "pipe" as const };
    return new Uint8Array(execFileSync("xz", ["-dc"], options));
  } catch (error) {
    const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: Buffer };
    const why = code === "ENOENT" ? "it compressed with xz, and no xz tool" : `${stderr ?? error}`;
    throw new RecordingError({ file: path, at: "" }, "a kernel that can be unpacked", why.trim());
  }
}

async function readAll(source: Source): Promise<Uint8Array> {
  const stream = (await unwrap(source)).stream();
  try {
    let bytes = new Uint8Array(Math.min(Math.max(source.size ?? 0, 1 << 16) + 1, MAX_BYTES));
    for (let filled = 0; ; ) {
      if (filled === bytes.length) {
        if (filled >= MAX_BYTES) {
          throw new RecordingError({ file: source.name, at: "" }, `at most ${MAX_BYTES} bytes`);
        }
        const grown = new Uint8Array(Math.min(2 * filled, MAX_BYTES));
        grown.set(bytes);
        bytes = grown;
      }
      const got = await stream.read(bytes.subarray(filled));
      if (got === 0) return bytes.subarray(0, filled);
      filled += got;
    }
  } finally {
    stream.close();
  }
}

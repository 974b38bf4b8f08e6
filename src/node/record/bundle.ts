/**
 * A bundle: the folder, or archive, that a recording ends up in (docs/privacy.md lists its
 * contents). It has its name only once it is whole; until then it is `NAME.partial`.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  createReadStream,
  createWriteStream,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, delimiter, dirname, join, resolve } from "node:path";
import process from "node:process";
import { pipeline } from "node:stream/promises";
import zlib from "node:zlib";
import { UsageError } from "../../model/place.ts";

const ARCHIVE = ".tar.zst";

/** One file of a bundle, as its manifest lists it. */
export interface BundleFile {
  name: string;
  bytes: number;
  sha256: string;
}

/** A bundle that is being filled. */
export class PartialBundle {
  /** Where it will stand. */
  readonly output: string;
  /** What is left behind when this process is killed. */
  readonly partial: string;
  /** Where its files go meanwhile. */
  readonly folder: string;

  /** Makes the folder. Throws UsageError when the name is taken, or an archive cannot be made. */
  constructor(name: string) {
    this.output = resolve(name);
    this.partial = `${this.output}.partial`;
    for (const path of [this.output, this.partial]) {
      if (existsSync(path)) throw new UsageError(`${path} exists already`);
    }
    if (this.#isArchive) {
      if (findProgram("tar") === null) throw new UsageError(`${name}: needs the program tar`);
      if (findProgram("zstd") === null && !hasZstd()) {
        throw new UsageError(
          `${name}: needs the program zstd; or name a folder, without ${ARCHIVE}`,
        );
      }
    }
    const inner = basename(this.output, this.#isArchive ? ARCHIVE : "");
    this.folder = join(this.partial, inner);
    mkdirSync(this.partial, { mode: 0o700 });
    mkdirSync(this.folder, { mode: 0o700 });
  }

  get #isArchive(): boolean {
    return this.output.endsWith(ARCHIVE);
  }

  /** Adds a file. */
  add(name: string, text: string): void {
    const path = join(this.folder, name);
    writeFileSync(path, text, { mode: 0o600, flag: "wx" });
    sync(path);
  }

  /** Names, sizes and hashes of what is in it. */
  async files(): Promise<BundleFile[]> {
    const files: BundleFile[] = [];
    for (const name of readdirSync(this.folder).sort()) {
      const path = join(this.folder, name);
      const hash = createHash("sha256");
      await pipeline(createReadStream(path), hash);
      files.push({ name, bytes: statSync(path).size, sha256: hash.digest("hex") });
    }
    return files;
  }

  /**
   * Gives it its name, as the last thing that happens. Returns the folder in which its files can
   * be read until `discard`.
   */
  async finish(): Promise<string> {
    sync(this.folder);
    let folder = this.output;
    if (this.#isArchive) {
      const archive = join(this.partial, `archive${ARCHIVE}`);
      await pack(this.partial, basename(this.folder), archive);
      chmodSync(archive, 0o600);
      sync(archive);
      renameSync(archive, this.output);
      folder = this.folder;
    } else {
      renameSync(this.folder, this.output);
    }
    sync(dirname(this.output));
    return folder;
  }

  /** Removes what is there under the temporary name; the finished bundle stays. */
  discard(): void {
    rmSync(this.partial, { recursive: true, force: true });
  }
}

function sync(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function hasZstd(): boolean {
  return "createZstdCompress" in zlib;
}

async function pack(folder: string, name: string, archive: string): Promise<void> {
  const tar = spawn("tar", ["-cf", "-", "--", name], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const tarEnded = ended(tar, "tar");
  if (findProgram("zstd") === null) {
    // From Node.js 22.15 on.
    const { createZstdCompress } = zlib as unknown as { createZstdCompress(): zlib.Gzip };
    const out = createWriteStream(archive, { mode: 0o600 });
    await Promise.all([pipeline(tar.stdout, createZstdCompress(), out), tarEnded]);
  } else {
    const zstd = spawn("zstd", ["-q", "-o", archive], { stdio: ["pipe", "ignore", "inherit"] });
    await Promise.all([pipeline(tar.stdout, zstd.stdin), ended(zstd, "zstd"), tarEnded]);
  }
}

function ended(child: ReturnType<typeof spawn>, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0) resolve();
      else
        reject(new UsageError(`${name} failed (${signal ?? `status ${code}`}); is the disk full?`));
    });
  });
}

/** Where a program lies, after PATH; null when it is not there. */
export function findProgram(name: string): string | null {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder || ".", name);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

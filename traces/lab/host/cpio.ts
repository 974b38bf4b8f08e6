/** Writes cpio archives of the kind that the kernel unpacks at boot (newc). */
import { constants, gzipSync } from "node:zlib";

/** Kernel documentation: driver-api/early-userspace/buffer-format.rst. */
const MAGIC = "070701";
const FOLDER = 0o040755;
const PROGRAM = 0o100755;
const LINK = 0o120777;

export class Cpio {
  readonly #parts: Buffer[] = [];
  readonly #folders = new Set<string>();
  #inode = 0;

  /** A file; its folders come by themselves. */
  file(path: string, content: Uint8Array | string): void {
    this.#parents(path);
    this.#entry(path, PROGRAM, Buffer.from(content as string));
  }

  folder(path: string): void {
    this.#parents(`${path}/.`);
  }

  link(path: string, target: string): void {
    this.#parents(path);
    this.#entry(path, LINK, Buffer.from(target));
  }

  /** The archive, compressed; no entry may follow. */
  finish(): Buffer {
    this.#entry("TRAILER!!!", 0, Buffer.alloc(0));
    return gzipSync(Buffer.concat(this.#parts), { level: constants.Z_BEST_SPEED });
  }

  #parents(path: string): void {
    const names = path.split("/").slice(0, -1);
    for (let n = 1; n <= names.length; n++) {
      const folder = names.slice(0, n).join("/");
      if (this.#folders.has(folder)) continue;
      this.#folders.add(folder);
      this.#entry(folder, FOLDER, Buffer.alloc(0));
    }
  }

  #entry(path: string, mode: number, content: Buffer): void {
    this.#inode++;
    const fields = [this.#inode, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, path.length + 1, 0];
    const header = MAGIC + fields.map((field) => field.toString(16).padStart(8, "0")).join("");
    this.#parts.push(padded(Buffer.from(`${header}${path}\0`)), padded(content));
  }
}

/** To a multiple of four bytes. */
function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}

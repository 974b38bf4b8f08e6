/**
 * What recording needs of the machine, as one value, so that a test can put a kernel's refusals in
 * its place. All methods throw the error of the system call.
 */
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { arch, release, version } from "node:os";
import process from "node:process";

export interface Host {
  /** In front of every absolute path; empty but in tests. */
  readonly root: string;
  /** Effective user id. */
  readonly uid: number;
  /** `uname -r`, `uname -v`, and the machine as Node.js names it (`x64`, `arm64`). */
  readonly release: string;
  readonly version: string;
  readonly arch: string;
  read(path: string): string;
  /** Writes to a file of the kernel that exists. */
  write(path: string, text: string): void;
  append(path: string, text: string): void;
  exists(path: string): boolean;
  list(path: string): string[];
  mkdir(path: string): void;
  rmdir(path: string): void;
  mountTracefs(path: string): void;
  /** Bytes that an ordinary user could still write there. */
  freeBytes(path: string): number;
  pause(milliseconds: number): Promise<void>;
}

/** This machine. */
export function thisHost(): Host {
  return {
    root: "",
    uid: process.geteuid?.() ?? -1,
    release: release(),
    version: version(),
    arch: arch(),
    read: (path) => readFileSync(path, "utf8"),
    write: (path, text) => writeFileSync(path, text, { flag: "r+" }),
    append: (path, text) => appendFileSync(path, text),
    exists: existsSync,
    list: (path) => readdirSync(path),
    mkdir: (path) => void mkdirSync(path),
    rmdir: rmdirSync,
    mountTracefs: (path) =>
      void execFileSync("mount", ["-t", "tracefs", "nodev", path], { stdio: "ignore" }),
    freeBytes(path) {
      const { bavail, bsize } = statfsSync(path);
      return bavail * bsize;
    },
    pause: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  };
}

/** Code of a system call's error (`EPERM`), or an empty string. */
export function errorCode(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : "";
}

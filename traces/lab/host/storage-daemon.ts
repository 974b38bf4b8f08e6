/**
 * `npm run lab -- --backend libvhost-user`: Debian's qemu-storage-daemon, unchanged, recorded by
 * `record --backend` on this host while a front end of our own plays the guest; then the predicted
 * log against the daemon's own at each sync. Needs root, tracefs and uprobes, no KVM.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BackEndRow, compare, ended, frontEnd, runFolder, until } from "./back-end-run.ts";
import { LabError, tryRun } from "./command.ts";
import { Suite } from "./packages.ts";
import { IMAGES, TOOL } from "./paths.ts";
import { findProgram } from "./tools.ts";

/** What the front end negotiates beside VERSION_1 and INDIRECT_DESC. */
const SCENARIOS = [
  { scenario: "plain", options: [] },
  { scenario: "event-idx", options: ["event-idx"] },
] as const;

const FOLDER = join(IMAGES, "qemu-storage-daemon");
const LIBRARIES = [
  join(FOLDER, "usr", "lib", "x86_64-linux-gnu"),
  join(FOLDER, "lib", "x86_64-linux-gnu"),
];
/** The package of bookworm that has the program, and libraries that a host may lack. */
const PACKAGES = ["qemu-system-common", "liburing2", "libfuse3-3", "libaio1"];
const DISK_BYTES = 8 << 20;

/** The program that the user names, that is installed, or that is fetched. Throws LabError. */
function storageDaemon(binary: string | undefined): string {
  if (binary !== undefined) {
    if (!existsSync(binary)) throw new LabError(`--binary ${binary}: no such file`);
    return binary;
  }
  const installed = findProgram("qemu-storage-daemon");
  if (installed !== null) return installed;
  const fetched = join(FOLDER, "usr", "bin", "qemu-storage-daemon");
  if (!existsSync(fetched)) {
    console.error("lab: fetching qemu-storage-daemon from bookworm");
    new Suite("bookworm-storage-daemon", "bookworm").unpack(PACKAGES, FOLDER);
  }
  return fetched;
}

/** Runs both scenarios. Throws LabError when something cannot be run. */
export async function driveStorageDaemon(binary: string | undefined): Promise<BackEndRow[]> {
  if (process.getuid?.() !== 0) throw new LabError("--backend: needs root, for uprobes");
  const front = frontEnd("vhost-user-front");
  const daemon = storageDaemon(binary);
  const rows: BackEndRow[] = [];
  for (const { scenario, options } of SCENARIOS) {
    rows.push(await drive(daemon, front, scenario, options));
  }
  return rows;
}

async function drive(
  daemon: string,
  front: string,
  scenario: string,
  options: readonly string[],
): Promise<BackEndRow> {
  const folder = runFolder("libvhost-user", scenario);
  const disk = join(folder, "disk.img");
  // Zeros would not show: a page changes when other bytes come.
  writeFileSync(disk, randomFillSync(Buffer.alloc(DISK_BYTES)));
  const socket = join(folder, "socket");
  const bundle = join(folder, "bundle");
  const children: ChildProcess[] = [];
  const start = (program: string, args: readonly string[]): ChildProcess => {
    const env = { ...process.env, LD_LIBRARY_PATH: LIBRARIES.join(":") };
    const child = spawn(program, args, { env, stdio: ["ignore", "ignore", "inherit"] });
    children.push(child);
    return child;
  };
  try {
    const served = start(daemon, [
      ...["--blockdev", `driver=file,filename=${disk},node-name=disk`, "--export"],
      "type=vhost-user-blk,id=lab,node-name=disk,writable=on,num-queues=2," +
        `addr.type=unix,addr.path=${socket}`,
    ]);
    await until("qemu-storage-daemon", () => existsSync(socket), served);
    const recorder = start(process.execPath, [
      ...[TOOL, "record", "--backend", "libvhost-user", "--binary", daemon, "--quiet"],
      ...["--recorder", "tracefs", "-o", bundle],
    ]);
    const instance = "/sys/kernel/tracing/instances/vhost-replay";
    const enabled = `${instance}/events/vl/enable`;
    const runs = (): boolean =>
      existsSync(enabled) && readFileSync(enabled, "utf8").startsWith("1");
    await until("record", runs, recorder);
    const driven = tryRun(front, [socket, folder, `${instance}/trace_marker`, ...options]);
    recorder.kill("SIGINT");
    await ended(recorder);
    if (driven.status !== 0) throw new LabError(`front end: ${driven.stderr.trim()}`);
    writeFileSync(join(folder, "syncs.jsonl"), driven.stdout);
  } finally {
    for (const child of children) child.kill("SIGTERM");
    await Promise.all(children.map(ended));
  }
  return compare(
    { backEnd: "libvhost-user", scenario, policy: "libvhost-user" },
    join(bundle, "trace.txt"),
    folder,
  );
}

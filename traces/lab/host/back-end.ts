/**
 * `npm run lab -- --backend libvhost-user`: Debian's qemu-storage-daemon, unchanged, recorded by
 * `record --backend` on this host while a front end of our own plays the guest; then the predicted
 * log against the daemon's own at each sync. Needs root, tracefs and uprobes, no KVM.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LabError, run, tryRun } from "./command.ts";
import { Suite } from "./packages.ts";
import { IMAGES, LAB, RESULTS, TOOL } from "./paths.ts";
import { findProgram } from "./tools.ts";

export const LAB_BACK_ENDS = ["libvhost-user"] as const;

/** One run of the front end. */
export interface BackEndRow {
  scenario: string;
  syncs: number;
  equal: number;
  /** What `verify` says, its first line. */
  sentence: string;
}

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
const PATIENCE = 60_000;

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

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits for something that a program does. Throws LabError with what the program said. */
async function until(what: string, ready: () => boolean, child: ChildProcess): Promise<void> {
  const end = Date.now() + PATIENCE;
  while (!ready()) {
    if (child.exitCode !== null)
      throw new LabError(`${what}: the program ended (${child.exitCode})`);
    if (Date.now() > end) throw new LabError(`${what}: not after ${PATIENCE / 1000} s`);
    await pause(50);
  }
}

const ended = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null
    ? Promise.resolve()
    : new Promise((done) => child.once("exit", () => done()));

/** Runs both scenarios. Throws LabError when something cannot be run. */
export async function driveBackEnd(binary: string | undefined): Promise<BackEndRow[]> {
  if (process.getuid?.() !== 0) throw new LabError("--backend: needs root, for uprobes");
  if (findProgram("gcc") === null) throw new LabError("missing: gcc; apt-get install gcc");
  const daemon = storageDaemon(binary);
  const base = join(RESULTS, "vhost-user");
  mkdirSync(base, { recursive: true });
  const front = join(base, "vhost-user-front");
  run("gcc", ["-O2", "-o", front, join(LAB, "guest", "vhost-user-front.c")]);
  const rows: BackEndRow[] = [];
  for (const { scenario, options } of SCENARIOS) {
    rows.push(await drive(daemon, front, scenario, options, join(base, scenario)));
  }
  return rows;
}

async function drive(
  daemon: string,
  front: string,
  scenario: string,
  options: readonly string[],
  folder: string,
): Promise<BackEndRow> {
  rmSync(folder, { recursive: true, force: true });
  for (const name of ["syncs", "changed"]) mkdirSync(join(folder, name), { recursive: true });
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
  return compare(scenario, bundle, folder);
}

function compare(scenario: string, bundle: string, folder: string): BackEndRow {
  const { stdout } = tryRun(process.execPath, [
    ...[TOOL, "verify", join(bundle, "trace.txt"), "--observed", join(folder, "syncs")],
    ...["--policy", "libvhost-user", "--json", "--quiet"],
  ]);
  const answer = JSON.parse(stdout) as {
    sentence: string;
    policies: { syncs: { missing: { pages: number }; extra: { pages: number } }[] }[];
  };
  const syncs = answer.policies[0]?.syncs ?? [];
  const equal = syncs.filter(({ missing, extra }) => missing.pages + extra.pages === 0).length;
  return { scenario, syncs: syncs.length, equal, sentence: answer.sentence };
}

/** One line a run. */
export function backEndText(rows: readonly BackEndRow[]): string {
  return rows
    .map(({ scenario, syncs, equal, sentence }) =>
      `libvhost-user  ${scenario.padEnd(10)} ${equal} of ${syncs} syncs equal  ${sentence}`.trimEnd(),
    )
    .join("\n");
}

/** Whether every run was compared, and equal at every sync. */
export function backEndHolds(rows: readonly BackEndRow[]): boolean {
  return rows.length > 0 && rows.every(({ syncs, equal }) => syncs > 0 && equal === syncs);
}

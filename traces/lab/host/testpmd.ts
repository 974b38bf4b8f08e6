/**
 * `npm run lab -- --backend dpdk`: Debian's dpdk-testpmd, unchanged, sends back what a front end of our own
 * gives it. No probe can be placed in it, so the front end writes down what it does and sees; then the
 * predicted log against DPDK's own at each sync. Needs no root, no huge pages and no KVM.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type BackEndRow,
  compare,
  ended,
  frontEnd,
  pause,
  runFolder,
  until,
} from "./back-end-run.ts";
import { LabError, tryRun } from "./command.ts";
import { Suite } from "./packages.ts";
import { IMAGES } from "./paths.ts";
import { findProgram } from "./tools.ts";

const SCENARIOS = [
  { scenario: "split", options: [] },
  { scenario: "packed", options: ["packed"] },
  // What QEMU does: the device event area as log address.
  { scenario: "packed-qemu-log-address", options: ["packed", "qemu-log-address"] },
] as const;

const FOLDER = join(IMAGES, "dpdk");
const LIBRARIES = join(FOLDER, "usr", "lib", "x86_64-linux-gnu");
const LOADED = join(FOLDER, "lib", "x86_64-linux-gnu");
/** The package of bookworm that has the program, and the drivers that it loads. */
const PACKAGES = ["dpdk-dev", "librte-net-vhost23", "librte-mempool-ring23"];
const DRIVERS = ["librte_net_vhost.so.23", "librte_mempool_ring.so.23", "librte_bus_vdev.so.23"];

/** The command that runs it: what the user names, what is installed, or what is fetched. Throws LabError. */
function testpmd(binary: string | undefined): string[] {
  const own = binary ?? findProgram("dpdk-testpmd");
  if (binary !== undefined && !existsSync(binary))
    throw new LabError(`--binary ${binary}: no such file`);
  if (own !== null && own !== undefined) return [own];
  const fetched = join(FOLDER, "usr", "bin", "dpdk-testpmd");
  if (!existsSync(fetched)) {
    console.error("lab: fetching dpdk-testpmd from bookworm");
    new Suite("bookworm-dpdk", "bookworm").unpackWithDependencies(PACKAGES, FOLDER);
  }
  const paths = ["--library-path", `${LIBRARIES}:${LOADED}`];
  return [join(LOADED, "ld-linux-x86-64.so.2"), ...paths, fetched];
}

/** Runs all scenarios. Throws LabError when something cannot be run. */
export async function driveTestpmd(binary: string | undefined): Promise<BackEndRow[]> {
  const front = frontEnd("vhost-user-net-front");
  const command = testpmd(binary);
  const rows: BackEndRow[] = [];
  for (const { scenario, options } of SCENARIOS) {
    rows.push(await drive(command, front, scenario, options));
  }
  return rows;
}

async function drive(
  [program, ...given]: readonly string[],
  front: string,
  scenario: string,
  options: readonly string[],
): Promise<BackEndRow> {
  const folder = runFolder("dpdk", scenario);
  const socket = join(folder, "socket");
  const served: ChildProcess = spawn(
    program!,
    [
      ...[...given, "--no-huge", "-m", "256", "--no-pci", "--no-telemetry"],
      ...["--file-prefix", `lab-${process.pid}-${scenario}`, "-l", "0,1"],
      ...DRIVERS.flatMap((driver) => ["-d", driver]),
      ...["--vdev", `net_vhost0,iface=${socket},queues=1`, "--", "--auto-start"],
      ...["--forward-mode=macswap", "--total-num-mbufs=2048"],
    ],
    // At the end of its input it stops.
    { stdio: ["pipe", "ignore", "ignore"] },
  );
  try {
    await until("dpdk-testpmd", () => existsSync(socket), served);
    await pause(1000);
    const driven = tryRun(front, [socket, folder, ...options]);
    if (driven.status !== 0) throw new LabError(`front end: ${driven.stderr.trim()}`);
    writeFileSync(join(folder, "syncs.jsonl"), driven.stdout);
  } finally {
    served.kill("SIGTERM");
    await ended(served);
    rmSync(socket, { force: true });
  }
  const about = { backEnd: "dpdk", scenario, policy: "dpdk-net" };
  return compare(about, join(folder, "trace.ndjson"), folder);
}

/**
 * A small Slurm cluster for tests: one controller and two nodes of four tasks each, all on this
 * machine, with a key and folders of their own. Needs Debian's slurmctld, slurmd, slurm-client and
 * munge, and root, because munged runs as its own user.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";

const PROGRAMS = [
  "slurmctld",
  "slurmd",
  "munged",
  "sbatch",
  "scancel",
  "scontrol",
  "squeue",
  "sinfo",
];
const NODES = ["n1", "n2"] as const;

/** What this machine lacks for a cluster; empty when nothing. */
export function missingForCluster(): string[] {
  const lacking = PROGRAMS.filter((name) => spawnSync("which", [name]).status !== 0);
  return process.getuid?.() === 0 ? lacking : [...lacking, "root"];
}

/** How a job of an array stands, by Slurm. */
export interface TaskState {
  index: number;
  state: string;
}

export class Cluster {
  readonly folder: string;
  readonly #environment: NodeJS.ProcessEnv;

  private constructor(folder: string) {
    this.folder = folder;
    this.#environment = { ...process.env, SLURM_CONF: join(folder, "slurm.conf") };
  }

  static async start(): Promise<Cluster> {
    const folder = mkdtempSync(join(tmpdir(), "fleet-slurm-"));
    chmodSync(folder, 0o755);
    const cluster = new Cluster(folder);
    try {
      cluster.#startMunge();
      writeFileSync(join(folder, "slurm.conf"), configuration(folder, await freePorts(3)));
      cluster.run("slurmctld");
      for (const node of NODES) cluster.run("slurmd", "-N", node);
      await cluster.#until("both nodes are idle", () => {
        const states = cluster.run("sinfo", "-h", "-N", "-o", "%T").split("\n");
        return states.filter((state) => state === "idle").length === NODES.length;
      });
    } catch (error) {
      cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** A program of Slurm; returns what it prints. */
  run(name: string, ...args: string[]): string {
    return execFileSync(name, args, { env: this.#environment, encoding: "utf8" });
  }

  /** Submits an array job; returns its number. */
  submit(script: string, array: string, environment: Record<string, string> = {}): number {
    const file = join(this.folder, `job-${randomBytes(4).toString("hex")}.sh`);
    const exports = Object.entries(environment).map(([name, value]) => `export ${name}='${value}'`);
    writeFileSync(file, ["#!/bin/sh", ...exports, script, ""].join("\n"));
    const out = join(this.folder, "task-%A-%a.txt");
    const args = ["--parsable", `--array=${array}`, "-o", out, "--open-mode=append", file];
    return Number(this.run("sbatch", ...args).trim());
  }

  /** What a task printed. */
  output(job: number, index: number): string {
    return readFileSync(join(this.folder, `task-${job}-${index}.txt`), "utf8");
  }

  /** Indexes of the job's tasks that are not over. */
  pending(job: number): number[] {
    const lines = this.run("squeue", "-h", "-r", "-j", String(job), "-o", "%K").split("\n");
    return lines.filter(Boolean).map(Number);
  }

  /** Waits until no task of the job is left, or `most` are. */
  async finished(job: number, most = 0): Promise<void> {
    await this.#until(`job ${job} is over`, () => this.pending(job).length <= most);
  }

  /** Waits until no other task is left than this one, which was killed: it may wait for another try. */
  async finishedBut(job: number, index: number): Promise<void> {
    await this.#until(`job ${job} is over but for ${index}`, () =>
      this.pending(job).every((one) => one === index),
    );
  }

  cancel(job: number): void {
    this.run("scancel", String(job));
  }

  drain(node: (typeof NODES)[number]): void {
    this.run("scontrol", "update", `nodename=${node}`, "state=drain", "reason=test");
  }

  resume(node: (typeof NODES)[number]): void {
    this.run("scontrol", "update", `nodename=${node}`, "state=resume");
  }

  stop(): void {
    spawnSync("scontrol", ["shutdown"], { env: this.#environment });
    try {
      process.kill(Number(readFileSync(join(this.folder, "munge", "pid"), "utf8")));
    } catch {
      // Never started, or gone by itself.
    }
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #startMunge(): void {
    const munge = join(this.folder, "munge");
    mkdirSync(munge, { mode: 0o711 });
    writeFileSync(join(munge, "key"), randomBytes(1024), { mode: 0o600 });
    execFileSync("chown", ["-R", "munge:", munge]);
    const file = (name: string): string => join(munge, name);
    execFileSync("runuser", [
      ...["-u", "munge", "--", "munged", "--force"],
      ...[`--key-file=${file("key")}`, `--socket=${file("socket")}`, `--pid-file=${file("pid")}`],
      ...[`--log-file=${file("log")}`, `--seed-file=${file("seed")}`],
    ]);
  }

  async #until(what: string, done: () => boolean): Promise<void> {
    // Two minutes of waiting in all: a cluster that takes longer hangs.
    for (let i = 0; i < 480; i++) {
      if (done()) return;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    throw new Error(`${what}: not within two minutes\n${this.run("squeue")}${this.run("sinfo")}`);
  }
}

function configuration(folder: string, ports: readonly number[]): string {
  const host = hostname().split(".")[0]!;
  const node = (name: string, port: number): string =>
    `NodeName=${name} NodeHostname=${host} NodeAddr=127.0.0.1 Port=${port} CPUs=4 State=UNKNOWN`;
  return `${[
    "ClusterName=fleet",
    `SlurmctldHost=${host}(127.0.0.1)`,
    `SlurmctldPort=${ports[0]}`,
    "SlurmUser=root",
    "SlurmdUser=root",
    "AuthType=auth/munge",
    `AuthInfo=socket=${folder}/munge/socket`,
    `StateSaveLocation=${folder}/state`,
    `SlurmdSpoolDir=${folder}/spool-%n`,
    `SlurmctldPidFile=${folder}/slurmctld.pid`,
    `SlurmdPidFile=${folder}/slurmd-%n.pid`,
    `SlurmctldLogFile=${folder}/slurmctld.log`,
    `SlurmdLogFile=${folder}/slurmd-%n.log`,
    "ProctrackType=proctrack/pgid",
    "TaskPlugin=task/none",
    "SchedulerType=sched/builtin",
    "SelectType=select/cons_tres",
    "SelectTypeParameters=CR_Core",
    "ReturnToService=2",
    "MaxArraySize=20001",
    "MaxJobCount=30000",
    // 75 is our word for "try again"; 137 is a task that was killed.
    "RequeueExit=75,137",
    "KillWait=5",
    // The nodes say more processors than there are: tasks wait for each other's start, not for work.
    "SlurmdParameters=config_overrides",
    "SchedulerParameters=batch_sched_delay=0,sched_interval=1",
    node(NODES[0], ports[1]!),
    node(NODES[1], ports[2]!),
    "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP",
  ].join("\n")}\n`;
}

/** Ports that were free a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer();
          server.listen(0, "127.0.0.1", () => resolve(server));
        }),
    ),
  );
  return Promise.all(
    servers.map((server) => {
      const { port } = server.address() as { port: number };
      return new Promise<number>((resolve) => server.close(() => resolve(port)));
    }),
  );
}

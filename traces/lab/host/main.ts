/**
 * `npm run lab`: boots Debian kernels without KVM, drives their vhost devices, records with the
 * script that `probes --script` prints, and compares the tool's answers with the kernels' own
 * dirty logs. docs/lab.md tells what it does; exit status 1 when something is wrong, 2 when the
 * lab cannot run.
 */
import { parseArgs } from "node:util";
import { runProgram } from "../../../src/node/run-program.ts";
import { type Attack, attack, attackText } from "./attacks.ts";
import { backEndHolds, backEndText, driveBackEnd, LAB_BACK_ENDS } from "./back-end.ts";
import { endRunning, LabError } from "./command.ts";
import { COST_KERNELS, type Cost, costs, costText } from "./cost.ts";
import { formsOf, KERNEL_NAMES, type Kernel, kernelNamed, QUICK_KERNELS } from "./kernels.ts";
import { LOAD_NAMES, type Migration, migrate } from "./migration.ts";
import { migrationFaults, migrationText } from "./migration-table.ts";
import { QUICK, SCENARIOS } from "./scenarios.ts";
import { fetchQemu } from "./stock-qemu.ts";
import { runScenarios } from "./suite.ts";
import { FORM_NAMES, type Row, tableText } from "./table.ts";
import { requireTools } from "./tools.ts";

const USAGE = `usage: npm run lab -- [options]
Without options: every scenario on every kernel, then the migrations.
  --quick             two kernels, the scenarios that tell most (under 5 minutes)
  --nested            only the migrations
  --kernel NAME       one of ${KERNEL_NAMES.join(", ")}; may be repeated
  --scenario NAME     one of these, and no migration; may be repeated:
                      ${SCENARIOS.map(({ name }) => name).join(" ")}
  --form NAME         regs or btf: only this form of the probes
  --attacks           only what may befall a recording: signals, foreign probes, full disks, lockdown
  --cost              only count what recording costs, in instructions
  --load NAME         normal or inflight: only this kind of migration
  --recheck           boot nothing: check the results of the last run again
  --backend NAME      libvhost-user: Debian's qemu-storage-daemon on this host, recorded by uprobes;
                      dpdk: its dpdk-testpmd, split and packed rings, written down by the front end
  --binary FILE       that program, instead of the installed or the fetched one
  --fetch             only fetch and unpack the kernels and QEMU`;

const OPTIONS = {
  quick: { type: "boolean" },
  kernel: { type: "string", multiple: true },
  scenario: { type: "string", multiple: true },
  form: { type: "string" },
  nested: { type: "boolean" },
  load: { type: "string" },
  attacks: { type: "boolean" },
  cost: { type: "boolean" },
  fetch: { type: "boolean" },
  recheck: { type: "boolean" },
  backend: { type: "string" },
  binary: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

function parse() {
  try {
    return parseArgs({ options: OPTIONS, strict: true }).values;
  } catch (error) {
    throw new LabError(`${(error as Error).message}\n${USAGE}`);
  }
}

type Values = ReturnType<typeof parse>;

/** Refuses a name that is none of these. */
function oneOf(option: string, value: string, names: readonly string[]): void {
  if (!names.includes(value)) {
    throw new LabError(`--${option} ${value}: there are ${names.join(", ")}`);
  }
}

function checkValues(values: Values): void {
  for (const name of values.kernel ?? []) oneOf("kernel", name, KERNEL_NAMES);
  const scenarios = SCENARIOS.map(({ name }) => name);
  for (const name of values.scenario ?? []) oneOf("scenario", name, scenarios);
  if (values.form !== undefined) oneOf("form", values.form, ["regs", "btf"]);
  if (values.load !== undefined) oneOf("load", values.load, LOAD_NAMES);
  if (values.backend !== undefined) oneOf("backend", values.backend, LAB_BACK_ENDS);
}

/** Does one thing; what fails is kept, and the rest goes on. */
async function step<T>(name: string, failures: string[], work: () => Promise<T>): Promise<T[]> {
  const begin = Date.now();
  console.error(`lab: ${name}`);
  try {
    return [await work()];
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    failures.push(`${name}: ${error.message}`);
    return [];
  } finally {
    console.error(`lab: ${name}: ${Math.round((Date.now() - begin) / 1000)} s`);
  }
}

/** Two at a time, because a machine mostly waits; results in the order of the items. */
async function inPairs<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results = new Map<T, R>();
  const waiting = [...items];
  const worker = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      results.set(item, await work(item));
    }
  };
  await Promise.all([worker(), worker()]);
  return items.map((item) => results.get(item) as R);
}

async function scenarioRows(
  values: Values,
  kernels: readonly Kernel[],
  failures: string[],
): Promise<Row[]> {
  const wanted = values.scenario ?? (values.quick ? QUICK : SCENARIOS.map(({ name }) => name));
  const scenarios = SCENARIOS.filter(({ name }) => wanted.includes(name));
  const machines = kernels.flatMap((kernel) => {
    const forms = formsOf(kernel).filter((form) => !values.form || form === values.form);
    return (values.quick ? forms.slice(-1) : forms).map((form) => ({ kernel, form }));
  });
  const rows = await inPairs(machines, ({ kernel, form }) => {
    const name = `${kernel.release}, probes by ${FORM_NAMES[form]}`;
    return step(name, failures, () =>
      runScenarios(kernel, form, scenarios, values.recheck ?? false),
    );
  });
  return rows.flat(2);
}

async function migrations(
  values: Values,
  kernels: readonly Kernel[],
  failures: string[],
): Promise<Migration[]> {
  const done: Migration[] = [];
  for (const load of LOAD_NAMES.filter((name) => !values.load || name === values.load)) {
    for (const kernel of kernels) {
      const form = formsOf(kernel).at(-1) ?? "regs";
      const name = `migration on ${kernel.release}, ${load}`;
      done.push(
        ...(await step(name, failures, () => migrate(kernel, load, form, values.recheck ?? false))),
      );
    }
  }
  return done;
}

/** `--cost`: the table of instructions. */
async function measureCosts(kernels: readonly Kernel[]): Promise<number> {
  const failures: string[] = [];
  const all: Cost[] = [];
  for (const kernel of kernels) {
    const found = await step(`cost on ${kernel.release}`, failures, () => costs(kernel));
    all.push(...found.flat());
  }
  console.log(costText(all));
  for (const failure of failures) console.log(`FAILED   ${failure}`);
  return failures.length > 0 ? 1 : 0;
}

/** `--attacks`: every case on each of these kernels. */
async function attacks(kernels: readonly Kernel[]): Promise<number> {
  const failures: string[] = [];
  const all: Attack[] = [];
  for (const kernel of kernels) {
    const found = await step(`attacks on ${kernel.release}`, failures, () => attack(kernel));
    all.push(...found.flat());
  }
  console.log(attackText(all));
  for (const failure of failures) console.log(`FAILED   ${failure}`);
  const wrong = all.some((one) => one.wrong !== null);
  return wrong || failures.length > 0 || all.length === 0 ? 1 : 0;
}

async function main(): Promise<number> {
  const values = parse();
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  checkValues(values);
  if (values.backend !== undefined) {
    const rows = await driveBackEnd(values.backend, values.binary);
    console.log(backEndText(rows));
    return backEndHolds(rows) ? 0 : 1;
  }
  requireTools();
  if (values.attacks) return attacks((values.kernel ?? QUICK_KERNELS).map(kernelNamed));
  if (values.cost) return measureCosts((values.kernel ?? COST_KERNELS).map(kernelNamed));
  const nested = values.nested || !(values.quick || values.scenario);
  const names = values.kernel ?? (values.quick ? QUICK_KERNELS : KERNEL_NAMES);
  const kernels = names.map(kernelNamed);
  if (nested || values.fetch) fetchQemu();
  if (values.fetch) return 0;
  const failures: string[] = [];
  const rows = values.nested ? [] : await scenarioRows(values, kernels, failures);
  const moved = nested ? await migrations(values, kernels, failures) : [];
  if (rows.length > 0) console.log(tableText(rows));
  if (moved.length > 0) console.log(`\n${migrationText(moved)}`);
  for (const failure of failures) console.log(`FAILED   ${failure}`);
  const wrong =
    rows.some(({ verdict }) => verdict.wrong.length > 0) ||
    moved.some((one) => migrationFaults(one).length > 0);
  return wrong || failures.length > 0 || rows.length + moved.length === 0 ? 1 : 0;
}

process.on("SIGINT", () => {
  endRunning();
  process.exit(130);
});

await runProgram(process, () =>
  main().catch((error: unknown) => {
    if (!(error instanceof LabError)) throw error;
    console.error(`lab: ${error.message}`);
    return 2;
  }),
);

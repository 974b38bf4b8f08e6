/**
 * `npm run lab`: boots Debian kernels without KVM, drives their vhost devices, records with the
 * script that `probes --script` prints, and compares the tool's answers with the kernels' own
 * dirty logs. docs/lab.md tells what it does; exit status 1 when something is wrong, 2 when the
 * lab cannot run.
 */
import { parseArgs } from "node:util";
import { endRunning, LabError } from "./command.ts";
import { formsOf, KERNEL_NAMES, kernel } from "./kernels.ts";
import { QUICK, SCENARIOS } from "./scenarios.ts";
import { runScenarios } from "./suite.ts";
import { type Row, tableText } from "./table.ts";
import { requireTools } from "./tools.ts";

const USAGE = `usage: npm run lab -- [options]
  --quick             two kernels, the scenarios that tell most (under 5 minutes)
  --kernel NAME       one of ${KERNEL_NAMES.join(", ")}; may be repeated
  --scenario NAME     one of these; may be repeated: ${SCENARIOS.map(({ name }) => name).join(" ")}
  --form NAME         regs or btf: only this form of the probes
  --fetch             only fetch and unpack the kernels and QEMU`;

const OPTIONS = {
  quick: { type: "boolean" },
  kernel: { type: "string", multiple: true },
  scenario: { type: "string", multiple: true },
  form: { type: "string" },
  fetch: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

function parse() {
  try {
    return parseArgs({ options: OPTIONS, strict: true }).values;
  } catch (error) {
    throw new LabError(`${(error as Error).message}\n${USAGE}`);
  }
}

async function main(): Promise<number> {
  const values = parse();
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  requireTools();
  const names = values.kernel ?? (values.quick ? ["6.1", "6.16"] : KERNEL_NAMES);
  const wanted = values.scenario ?? (values.quick ? QUICK : SCENARIOS.map(({ name }) => name));
  const unknown = wanted.find((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown !== undefined) throw new LabError(`no scenario ${unknown}\n${USAGE}`);
  const kernels = names.map(kernel);
  if (values.fetch) return 0;
  const scenarios = SCENARIOS.filter(({ name }) => wanted.includes(name));
  const rows: Row[] = [];
  const failures: string[] = [];
  for (const one of kernels) {
    const forms = formsOf(one).filter((form) => !values.form || form === values.form);
    for (const form of values.quick && !values.form ? forms.slice(-1) : forms) {
      const begin = Date.now();
      console.error(`lab: ${one.release}, probes by ${form === "btf" ? "member" : "register"}`);
      try {
        rows.push(...(await runScenarios(one, form, scenarios)));
      } catch (error) {
        if (!(error instanceof LabError)) throw error;
        failures.push(`${one.release} (${form}): ${error.message}`);
      }
      console.error(`lab: ${Math.round((Date.now() - begin) / 1000)} s`);
    }
  }
  console.log(tableText(rows));
  for (const failure of failures) console.log(`FAILED   ${failure}`);
  const wrong = rows.some(({ verdict }) => verdict.wrong.length > 0);
  return wrong || failures.length > 0 || rows.length === 0 ? 1 : 0;
}

process.on("SIGINT", () => {
  endRunning();
  process.exit(130);
});

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof LabError)) throw error;
  console.error(`lab: ${error.message}`);
  process.exitCode = 2;
}

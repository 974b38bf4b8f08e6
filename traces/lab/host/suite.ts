/** Boots one kernel with one form of the probes, runs scenarios in it, and checks each recording. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { check } from "./check.ts";
import { baseArchive } from "./initramfs.ts";
import type { Kernel } from "./kernels.ts";
import { boot } from "./machine.ts";
import { RESULTS } from "./paths.ts";
import { recordScript } from "./record-script.ts";
import { addScenarios, type Scenario } from "./scenarios.ts";
import type { Row } from "./table.ts";

/**
 * Results: RESULTS/RELEASE-FORM/SCENARIO. A scenario that a kernel cannot run gives no row.
 * `recheck`: what lies there is checked, and nothing boots.
 */
export async function runScenarios(
  kernel: Kernel,
  form: "regs" | "btf",
  scenarios: readonly Scenario[],
  recheck: boolean,
): Promise<Row[]> {
  const folder = join(RESULTS, `${kernel.release}-${form}`);
  if (!recheck) await record(kernel, form, scenarios, folder);
  return scenarios
    .filter(({ name }) => existsSync(join(folder, name)))
    .map(({ name, driver }) => ({
      ...{ release: kernel.release, scenario: name, form },
      verdict: check(join(folder, name), driver),
    }));
}

async function record(
  kernel: Kernel,
  form: "regs" | "btf",
  scenarios: readonly Scenario[],
  folder: string,
): Promise<void> {
  const archive = baseArchive(kernel, recordScript(kernel));
  addScenarios(archive, scenarios);
  await boot(
    {
      name: `${kernel.release}-${form}`,
      kernel,
      initramfs: archive.finish(),
      settings: { suite: "scenarios", form },
      memoryMiB: 3072,
      seconds: 1200,
    },
    folder,
  );
}

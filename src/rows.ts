/**
 * `npm run rows -- --kernel-source DIR…`: reads the vhost drivers of a kernel tree and says whether the table of
 * kernels has them right, or is behind. Status 0: it has; 1: it has not; 2: the tree cannot be read.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "./model/place.ts";
import { runProgram } from "./node/run-program.ts";
import { type KernelFacts, readKernelSource, SOURCE_FILES } from "./vhost/kernel-source.ts";
import { KERNELS } from "./vhost/kernels.ts";
import { resolvePolicy } from "./vhost/policy.ts";
import { rowDifferences } from "./vhost/row-differences.ts";

function readTree(folder: string): KernelFacts {
  const read = (name: keyof typeof SOURCE_FILES): string | null => {
    const path = join(folder, SOURCE_FILES[name]);
    return existsSync(path) ? readFileSync(path, "utf8") : null;
  };
  try {
    return readKernelSource({
      makefile: read("makefile"),
      scsi: read("scsi"),
      vhost: read("vhost"),
      net: read("net"),
    });
  } catch (error) {
    throw new UsageError(`${folder}: ${(error as Error).message}`);
  }
}

function check(folder: string): number {
  const { version, facts, series } = readTree(folder);
  const { policy } = resolvePolicy(`linux-${version}`);
  const row = KERNELS.find(({ name }) => name === policy.name);
  console.log(`${folder}: Linux ${version}, row ${policy.name}`);
  for (const { what, where, is } of facts) {
    console.log(`  ${is ? "yes" : "no "}  ${what.padEnd(15)} ${where}`);
  }
  if (!row) throw new UsageError(`${policy.name} is no row of the table of kernels`);
  const differences = rowDifferences(row, series);
  for (const difference of differences) console.log(`  The row says otherwise: ${difference}`);
  if (differences.length === 0) {
    const measured = row.measured.includes(version)
      ? "measured"
      : `measured: ${row.measured.join(", ") || "no version of it"}`;
    console.log(`  The row says the same (${measured}).`);
  } else {
    const fitting = KERNELS.filter((one) => rowDifferences(one, series).length === 0);
    const names = fitting.map(({ name }) => name).join(", ");
    console.log(
      fitting.length > 0
        ? `  It is as ${names}: the row's versions are to be divided.`
        : "  No row is so: a new one is needed.",
    );
  }
  return differences.length === 0 ? 0 : 1;
}

async function main(args: readonly string[]): Promise<number> {
  const folders = args.filter((one) => one !== "--kernel-source");
  if (folders.length === 0 || !args.includes("--kernel-source")) {
    throw new UsageError("usage: npm run rows -- --kernel-source DIR…");
  }
  return folders.map(check).reduce((worst, status) => Math.max(worst, status), 0);
}

await runProgram(process, async () => {
  try {
    return await main(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`rows: ${error.message}`);
    return 2;
  }
});

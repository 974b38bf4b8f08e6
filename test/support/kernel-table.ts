/** The table of docs/model.md, from the rows of src/vhost/kernels.ts. */
import type { Kernel, Release } from "../../src/vhost/kernel-row.ts";
import { KERNELS } from "../../src/vhost/kernels.ts";
import { patchList } from "../../src/vhost/series.ts";

/** The last release before a major number went up. */
const LAST_MINOR: Readonly<Record<number, number>> = { 3: 19, 4: 20, 5: 19, 6: 19 };

/** The release before one. */
function before([major, minor]: Release): string {
  return minor === 0 ? `${major - 1}.${LAST_MINOR[major - 1]}` : `${major}.${minor - 1}`;
}

const number = ([major, minor]: Release): number => major * 1000 + minor;

/** Which versions have a row: releases of the mainline, without what their trees took later. */
function versionsOf(kernel: Kernel): string {
  const releases = KERNELS.flatMap(({ mainline }) => (mainline ? [mainline] : []));
  const told: string[] = [];
  if (kernel.mainline) {
    const next = releases.find((release) => number(release) > number(kernel.mainline!));
    const from = kernel.mainline.join(".");
    const last = next ? before(next) : null;
    told.push(last === null ? `${from} and later` : last === from ? from : `${from} to ${last}`);
    for (const [tree, at] of firstSteps()) {
      const release = tree.split(".").map(Number) as unknown as Release;
      const own = number(release) >= number(kernel.mainline);
      if (own && (!next || number(release) < number(next))) told.push(`${tree} before .${at}`);
    }
  }
  for (const [tree, from] of kernel.trees) {
    const next = KERNELS.flatMap(({ trees }) => trees)
      .filter(([other, at]) => other === tree && at > from)
      .sort(([, a], [, b]) => a - b)[0];
    told.push(`${tree}.${from} ${next ? `to .${next[1] - 1}` : "and later"}`);
  }
  return told.join("; ");
}

/** Where each stable tree leaves the mainline. */
function firstSteps(): Map<string, number> {
  const steps = new Map<string, number>();
  for (const [tree, from] of KERNELS.flatMap(({ trees }) => trees)) {
    steps.set(tree, Math.min(from, steps.get(tree) ?? from));
  }
  return steps;
}

function moreOf({ series }: Kernel): string {
  const more = [
    ...(series.flush ? ["device ioctls wait for requests"] : []),
    ...(series.mapError === "errno" ? ["a failed mapping is not answered"] : []),
    ...(series.ebusy ? ["feature changes checked"] : []),
    ...(series.piCheck ? ["T10-PI counts checked"] : []),
    ...(series.inOrderRange ? ["in-order range"] : []),
    ...(series.freeOnOff ? [] : ["entries survive a toggle"]),
  ];
  return more.join(", ");
}

/** One line a row. */
export function kernelTable(): string {
  const lines = KERNELS.map((kernel) => {
    const patches = kernel.series.patches.length > 0 ? patchList(kernel.series.patches) : "";
    const cells = [`\`${kernel.name}\``, versionsOf(kernel), patches, moreOf(kernel)];
    return `| ${[...cells, kernel.measured.join(", ")].join(" | ")} |`.replace(/ {2}/g, " ");
  });
  return ["| row | versions | patches | more | measured |", "|---|---|---|---|---|", ...lines].join(
    "\n",
  );
}

/** Do the product and the C reference find the same pages? */
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CLI } from "./contenders.mjs";
import { measure } from "./measure.mjs";

const POLICIES = ["unpatched", "patched"];

/** Compares every image of both policies. Returns one line; throws at the first difference. */
export function compareImages(file, replay, scratch) {
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  try {
    const reference = join(scratch, "reference");
    measure([replay, "--quiet", "--out", reference, file]);
    let images = 0;
    for (const policy of POLICIES) {
      const ours = join(scratch, policy);
      measure([process.execPath, CLI, "log", file, "--policy", policy, "-o", ours, "--quiet"]);
      images += compareFolders(ours, join(reference, policy));
    }
    return `${images} images of two policies equal those of the C reference`;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The reference's own answers to two forms of one input: everything but the line counts. */
export function sameAnswers(a, b) {
  const strip = (out) => out.replace(/ foreign=\d+/, "");
  return strip(a) === strip(b);
}

function compareFolders(ours, theirs) {
  const isImage = (name) => name.endsWith(".bin");
  const names = readdirSync(theirs).filter(isImage).sort();
  const own = readdirSync(ours).filter(isImage).sort();
  if (names.length === 0 || names.join() !== own.join()) {
    throw new Error(`images differ: reference ${names.join()}, vhost-replay ${own.join()}`);
  }
  for (const name of names) {
    const a = withoutTrailingZeros(readFileSync(join(ours, name)));
    const b = withoutTrailingZeros(readFileSync(join(theirs, name)));
    if (!a.equals(b)) throw new Error(`${name}: vhost-replay and the C reference differ`);
  }
  return names.length;
}

/** Images may have different lengths: one ends at the guest's end, one at the last page touched. */
function withoutTrailingZeros(image) {
  let end = image.length;
  while (end > 0 && image[end - 1] === 0) end--;
  return image.subarray(0, end);
}

/** Do the product and the C reference find the same pages, and the product in both QEMU forms? */
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
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
      writeImages(file, policy, ours);
      images += compareFolders(ours, join(reference, policy));
    }
    return `${images} images of two policies equal those of the C reference`;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * Compares what the product says of a QEMU log and of its simpletrace: the report, but for places
 * in the files, and every image of both policies. Both have to hold all of the `inputs`' elements,
 * syncs and events, and nothing unknown. Returns one line; throws at the first difference.
 */
export function compareQemuForms(inputs, scratch) {
  const [log, simple] = [inputs.log, inputs.simple].map((file) => reportOf(file, inputs));
  if (log !== simple) throw new Error("the report of the QEMU log and of the simpletrace differ");
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  try {
    let images = 0;
    for (const policy of POLICIES) {
      const folders = ["log", "simple"].map((form) => {
        const folder = join(scratch, `${policy}-${form}`);
        writeImages(inputs[form], policy, folder);
        return folder;
      });
      images += compareFolders(...folders);
    }
    return `reports and ${images} images of two policies are equal in both QEMU forms, ${inputs.elements} requests`;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** What a report says without its places; throws when it does not hold what was put in. */
function reportOf(file, { elements, syncs, events }) {
  const run = measure([process.execPath, CLI, "report", file, "--json", "--quiet"], [0, 1]);
  const { inputs, ...report } = JSON.parse(run.out);
  const [machine] = report.machines;
  const queues = machine.devices.flatMap((device) => device.queues);
  const sum = (count) => queues.reduce((total, queue) => total + count(queue), 0);
  const found = {
    elements: sum(({ completed }) => completed),
    syncs: machine.rounds.length + machine.moreRounds,
    events: inputs[0].events.reduce((total, { count }) => total + count, 0),
    strange: sum((q) => q.unknownHead + q.rejected + q.dropped + q.inFlightAtEnd),
    foreign: inputs[0].foreignLines + inputs[0].gaps.length,
  };
  const expected = { elements, syncs, events, strange: 0, foreign: 0 };
  const [a, b] = [expected, found].map((counts) => JSON.stringify(counts));
  if (a !== b) throw new Error(`${basename(file)}: expected ${a}, found ${b}`);
  return JSON.stringify(report, (key, value) => (/place$/i.test(key) ? undefined : value));
}

function writeImages(file, policy, folder) {
  measure([process.execPath, CLI, "log", file, "--policy", policy, "-o", folder, "--quiet"]);
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

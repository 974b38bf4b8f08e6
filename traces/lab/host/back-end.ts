/** `npm run lab -- --backend NAME`: the back ends that the lab can run, and how. */
import { type BackEndRow, backEndHolds, backEndText } from "./back-end-run.ts";
import { driveStorageDaemon } from "./storage-daemon.ts";
import { driveTestpmd } from "./testpmd.ts";

export { backEndHolds, backEndText };

const DRIVES: Readonly<Record<string, (binary: string | undefined) => Promise<BackEndRow[]>>> = {
  "libvhost-user": driveStorageDaemon,
  dpdk: driveTestpmd,
};
export const LAB_BACK_ENDS: readonly string[] = Object.keys(DRIVES);

/** Runs all scenarios of a back end. Throws LabError when something cannot be run. */
export function driveBackEnd(name: string, binary: string | undefined): Promise<BackEndRow[]> {
  return DRIVES[name]!(binary);
}

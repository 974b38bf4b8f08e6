/** The script that records, as `vhost-replay probes --script` prints it for a kernel. */
import { run } from "./command.ts";
import type { Kernel } from "./kernels.ts";
import { TOOL } from "./paths.ts";

/** Made from the unpacked package alone, as for another host. */
export function recordScript(kernel: Kernel): string {
  return run(process.execPath, [
    ...[TOOL, "probes", "--script", "--quiet", "--driver", "scsi,net,vsock"],
    ...["--btf", kernel.folder, "--kernel", kernel.release],
  ]);
}

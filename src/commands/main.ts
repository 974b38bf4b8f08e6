/** The command line on the real process and the real library. */
import { runCommandLine } from "./program.ts";
import { failureStatus } from "./shared/failure.ts";
import { EXIT } from "./shared/io.ts";
import { openTerminal } from "./shared/terminal.ts";
import { readTool } from "./shared/tool.ts";

/** Runs the arguments of `host`; returns the exit status. */
export async function main(host: NodeJS.Process): Promise<number> {
  const terminal = openTerminal(host);
  const status = await runCommandLine(host.argv.slice(2), {
    io: terminal.io,
    tool: readTool,
    load: async () => (await import("./shared/load-api.ts")).loadApi(),
  });
  if (terminal.failed) return failureStatus(terminal.failed, { err: terminal.io("never").err });
  return terminal.closed ? EXIT.ok : status;
}

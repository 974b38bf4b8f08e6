#!/usr/bin/env node
/** The command `vhost-replay`. */
import process from "node:process";
import { runCommandLine } from "./commands/program.ts";
import { openTerminal } from "./commands/terminal.ts";
import { readTool } from "./commands/tool.ts";

const terminal = openTerminal(process);
const status = await runCommandLine(process.argv.slice(2), {
  io: terminal.io,
  tool: readTool,
  load: async () => (await import("./commands/load-api.ts")).loadApi(),
});
process.exitCode = terminal.closed ? 0 : status;

#!/usr/bin/env node
/** The command `vhost-replay`. */
import module from "node:module";
import process from "node:process";

// From Node.js 22.1 on: the compiled code of what follows is kept from one run to the next.
(module as { enableCompileCache?: () => unknown }).enableCompileCache?.();
const { runProgram } = await import("./node/run-program.ts");
await runProgram(process, async () => (await import("./commands/main.ts")).main(process));

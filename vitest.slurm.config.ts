import { defineConfig } from "vitest/config";

/** `npm run test:slurm`: real daemons, minutes of waiting; not part of `npm test`. */
export default defineConfig({
  test: { include: ["test/slurm/*.slurm.ts"], testTimeout: 600_000, hookTimeout: 600_000 },
});

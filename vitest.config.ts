import { defineConfig } from "vitest/config";

// A slow machine is no failure: the limit is there to end a test that hangs.
export default defineConfig({ test: { testTimeout: 300_000, hookTimeout: 300_000 } });

/** The library runs in browsers as it is: no module of Node.js, no shim. */
import { join } from "node:path";
import { type OutputChunk, rolldown } from "rolldown";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

async function bundle(input: string): Promise<{ imports: string[]; code: string }> {
  const built = await rolldown({
    input: join(ROOT, input),
    platform: "browser",
    logLevel: "silent",
  });
  const { output } = await built.generate({ format: "esm", codeSplitting: false });
  const chunks = output.filter((file): file is OutputChunk => file.type === "chunk");
  const own = new Set(chunks.map(({ fileName }) => fileName));
  const imports = chunks
    .flatMap((chunk) => [...chunk.imports, ...chunk.dynamicImports])
    .filter((name) => !own.has(name));
  return { imports, code: chunks.map(({ code }) => code).join("\n") };
}

test.each(["src/index.ts", "src/web/index.ts"])(
  "%s is one module that imports nothing",
  async (input) => {
    const { imports, code } = await bundle(input);
    expect(imports).toEqual([]);
    expect(code).not.toMatch(/\bfrom\s*["']node:|require\(["']node:|\bprocess\.(?:env|argv)/);
  },
);

test("the check sees a module of Node.js", async () => {
  const { imports } = await bundle("src/node/index.ts");
  expect(imports.some((name) => name.startsWith("node:"))).toBe(true);
});

test("the decoder of zstd is in it once", async () => {
  const { code } = await bundle("src/index.ts");
  // Its two methods say so, each once.
  expect(code.split("ZSTDDecoder: Await .init()").length - 1).toBe(2);
});

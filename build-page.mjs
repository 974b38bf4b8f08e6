/**
 * The page: one HTML file with its worker and the core in it, which opens from a disk and connects to
 * nothing. `{{history}}` stays a comment where a history is put in (src/commands/shared/page-file.ts).
 */
import { readFileSync, writeFileSync } from "node:fs";
import { rolldown } from "rolldown";

const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");
const { name, version } = JSON.parse(read("package.json"));

/** One script without imports. In HTML it may hold neither the end of a script nor a comment. */
async function bundle(input) {
  const built = await rolldown({ input, platform: "browser", logLevel: "warn" });
  const { output } = await built.generate({ format: "esm", minify: true, codeSplitting: false });
  return output[0].code.replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
}

const parts = {
  tool: `${name} ${version}`,
  style: read("src/web/page/style.css"),
  core: readFileSync(new URL("build/core.wasm", import.meta.url)).toString("base64"),
  worker: await bundle("dist/src/web/worker.js"),
  history: "<!--history-->",
  page: await bundle("dist/src/web/page/main.js"),
};
const html = read("src/web/page/index.html").replace(/\{\{(\w+)\}\}/g, (_, key) => parts[key]);
writeFileSync(new URL("dist/vhost-replay.html", import.meta.url), html);

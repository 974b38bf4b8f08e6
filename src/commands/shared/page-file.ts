/** The page with a history in it: what `view` opens and `report --html` writes. */
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

/** What stands in the page where a history may be (build-page.mjs). */
const PLACE = "<!--history-->";
/** Characters that a name in an attribute may not have as they are. */
const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

/** Bytes of a history as they are kept. */
export function packed(history: Uint8Array): Promise<Buffer> {
  return promisify(gzip)(history);
}

/** The page as it is built, with a packed history of this name. Throws the system's error. */
export async function pageWith(history: Uint8Array, name: string): Promise<string> {
  const page = await readFile(fileURLToPath(import.meta.resolve("#page")), "utf8");
  const [before, after, ...more] = page.split(PLACE);
  if (before === undefined || after === undefined || more.length > 0) {
    throw new Error("bug: the page has no one place for a history");
  }
  const title = basename(name).replace(/[&<>"]/g, (letter) => ESCAPES[letter]!);
  const base64 = Buffer.from(history).toString("base64");
  const element = `<script type="text/plain" id="history" data-name="${title}">${base64}</script>`;
  return `${before}${element}${after}`;
}

/** A file that has its name when it is whole. Throws the system's error. */
export async function writeWhole(name: string, bytes: Uint8Array | string): Promise<void> {
  const temporary = `${name}.part`;
  try {
    await writeFile(temporary, bytes);
    await rename(temporary, name);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** The edge to Node.js: files, standard input, temporary files, the prebuilt core. */
export { corePath, loadCore } from "./core-file.ts";
export { fileSource } from "./file-source.ts";
export { stdinSource } from "./stdin-source.ts";
export { nodeSurroundings } from "./surroundings.ts";

/** The edge to browsers: files that a user chose as sources, and surroundings without a file system. */
export { blobRandom, blobSource, webSurroundings } from "./blob-source.ts";

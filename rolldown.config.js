/**
 * The command in few files instead of a hundred: finding, reading and linking each costs about half a
 * millisecond of start-up. Only our own modules; packages stay what they are.
 */
export default {
  input: "dist/src/cli.js",
  external: /^[^./]/,
  platform: "node",
  output: { dir: "dist/cli", format: "esm", chunkFileNames: "[name].js" },
};

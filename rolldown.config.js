/**
 * The command in few files instead of a hundred: finding, reading and linking each costs about half a
 * millisecond of start-up. Only our own modules; packages stay what they are. What the hot command
 * needs is one file, what `--help` needs another.
 */
export default {
  input: "dist/src/cli.js",
  external: /^[^./]/,
  platform: "node",
  output: {
    dir: "dist/cli",
    format: "esm",
    chunkFileNames: "[name].js",
    comments: false,
    codeSplitting: {
      groups: [
        { name: "main", test: /commands\/main\.js$/, priority: 2 },
        { name: "replay", test: /commands\/(report|shared\/(load-api|case))\.js$/, priority: 1 },
      ],
    },
  },
};

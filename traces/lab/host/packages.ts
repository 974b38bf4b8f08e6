/**
 * Debian packages of any suite, fetched by this host's apt and unpacked without being installed.
 * Each suite has package lists and an (empty) status of its own below the images; the archive is
 * the one that this host's apt is set up with.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LabError, run } from "./command.ts";
import { IMAGES } from "./paths.ts";

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** The Debian archive among this host's apt sources. Throws LabError when there is none. */
function archive(): string {
  const folder = "/etc/apt/sources.list.d";
  const files = [
    "/etc/apt/sources.list",
    ...(existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []),
  ].filter((file) => existsSync(file));
  for (const file of files) {
    const line = /^(?:URIs:|deb )[^\n]*?(\S+:\/\/\S+\/debian\/?)(?:\s|$)/m.exec(
      readFileSync(file, "utf8"),
    );
    if (line?.[1]) return line[1];
  }
  throw new LabError("no Debian archive among apt's sources");
}

/** One suite, with lists of its own. */
export class Suite {
  readonly #options: string[];
  readonly #debs: string;

  /** `name` is that of the folder; two uses of one suite keep their packages apart. */
  constructor(name: string, suite = name) {
    const folder = join(IMAGES, `.apt-${name}`);
    this.#debs = join(folder, "archives");
    mkdirSync(join(folder, "lists", "partial"), { recursive: true });
    mkdirSync(join(this.#debs, "partial"), { recursive: true });
    writeFileSync(join(folder, "status"), "");
    writeFileSync(
      join(folder, "sources.list"),
      `deb [signed-by=${KEYRING}] ${archive()} ${suite} main\n`,
    );
    this.#options = [
      `Dir::Etc::SourceList=${folder}/sources.list`,
      "Dir::Etc::SourceParts=-",
      `Dir::State::Lists=${folder}/lists`,
      `Dir::State::status=${folder}/status`,
      `Dir::Cache::archives=${this.#debs}`,
      "Dir::Cache::pkgcache=",
      "Dir::Cache::srcpkgcache=",
      "APT::Sandbox::User=root",
      "Debug::NoLocking=1",
    ].map((option) => `-o${option}`);
    run("apt-get", [...this.#options, "update", "-qq"]);
  }

  /** Names of packages that match, of the newest version among them. */
  newest(pattern: RegExp): string[] {
    const names = run("apt-cache", [...this.#options, "pkgnames", "linux-"]).split("\n");
    const versions = names
      .map((name) => ({ name, version: pattern.exec(name)?.[1] }))
      .filter((one): one is { name: string; version: string } => one.version !== undefined)
      .sort((a, b) => a.version.localeCompare(b.version, "en", { numeric: true }));
    const newest = versions.at(-1)?.version;
    return versions.filter(({ version }) => version === newest).map(({ name }) => name);
  }

  /** Unpacks these packages into a folder. */
  unpack(names: readonly string[], folder: string): void {
    run("apt-get", [...this.#options, "download", "-q", ...names], this.#debs);
    this.#unpackDebs(folder, (file) => names.some((name) => file.startsWith(`${name}_`)));
  }

  /** Unpacks packages and everything that they depend on. */
  unpackWithDependencies(names: readonly string[], folder: string): void {
    run("apt-get", [
      ...this.#options,
      ...["install", "-y", "-qq", "--download-only", "--no-install-recommends", ...names],
    ]);
    this.#unpackDebs(folder, () => true);
  }

  #unpackDebs(folder: string, wanted: (file: string) => boolean): void {
    mkdirSync(folder, { recursive: true });
    for (const file of readdirSync(this.#debs)) {
      if (file.endsWith(".deb") && wanted(file)) {
        run("dpkg-deb", ["-x", join(this.#debs, file), folder]);
        rmSync(join(this.#debs, file));
      }
    }
  }
}

/** Rows of the table of kernels against what sources say. The sources here are sketches of the functions asked for. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import {
  type KernelSource,
  readKernelSource,
  SOURCE_FILES,
} from "../../src/vhost/kernel-source.ts";
import { KERNELS } from "../../src/vhost/kernels.ts";
import { rowDifferences } from "../../src/vhost/row-differences.ts";

const ROOT = join(import.meta.dirname, "../..");
const row = (name: string) => KERNELS.find((one) => one.name === name)!;

/** Bodies by function, and lines outside of functions. */
type Bodies = Record<string, string>;

const OLD: Bodies = {
  vhost_scsi_complete_cmd_work: "reply(cmd);",
  vhost_scsi_send_bad_target: "__copy_to_user(resp, &rsp, 108);",
  vhost_scsi_get_desc: "pop(vq, NULL);",
  vhost_scsi_do_evt_work: "reply(evt);",
  vhost_scsi_handle_vq: "if (vhost_scsi_mapal(cmd))\n\t\tgoto err;",
  vhost_scsi_ioctl: "return vhost_dev_ioctl(dev);",
  vhost_scsi_set_features: "vq->acked_features = features;",
};
const PATCHED: Bodies = {
  vhost_scsi_complete_cmd_work:
    "mutex_lock(&vq->mutex);\n\tvhost_scsi_log_write(vq, cmd->tvc_log);",
  vhost_scsi_send_bad_target: "copy_to_iter(&rsp, size, &iter);",
  vhost_scsi_send_status: "copy_to_iter(&rsp, size, &iter);",
  "vhost_scsi_get_desc(struct vhost_log *log": "pop(vq, log);",
  vhost_scsi_do_evt_work: "vhost_scsi_log_write(vq, log);",
  vhost_scsi_handle_vq: "ret = vhost_scsi_mapal(cmd);",
  vhost_scsi_ioctl: "return vhost_dev_ioctl(dev);",
  vhost_scsi_set_features: "vhost_scsi_destroy_vq_log(vq);",
  vhost_scsi_tmf: "tmf->tmf_log = log;",
};

function source(scsi: Bodies, more: Partial<KernelSource> & { log?: string } = {}): KernelSource {
  const functions = Object.entries(scsi).map(([name, body]) => {
    const head = name.includes("(") ? name : `${name}(struct vhost_scsi *vs`;
    return `static int ${head})\n{\n\t${body}\n}\n`;
  });
  const { log = "len -= used;", ...files } = more;
  return {
    makefile: "VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 20\n",
    // A declaration, a call and a comment are none of the function.
    scsi: `static int vhost_scsi_ioctl(void);\n/* vhost_scsi_flush() tvc_log tmf_log */\n${functions.join("\n")}`,
    vhost: `int vhost_log_write(struct vhost_virtqueue *vq)\n{\n\t${log}\n}\n`,
    net: "static const u64 features = 0;\n",
    ...files,
  };
}

describe("what sources say", () => {
  test("a kernel before the series", () => {
    const { version, series } = readKernelSource(source(OLD));
    expect(version).toBe("6.1.20");
    expect(series.patches).toEqual([]);
    expect(rowDifferences(row("linux-6.1"), series)).toEqual([]);
    expect(rowDifferences(row("linux-6.16"), series)).toContain("patch 7 is not in the sources");
  });

  test("one with the series; each later change is a switch", () => {
    const patched = source(PATCHED, { log: "if (len != U64_MAX)\n\t\tlen -= used;" });
    const { series } = readKernelSource(patched);
    expect(rowDifferences(row("linux-6.16"), series)).toEqual([]);
    const flushed = { ...PATCHED, vhost_scsi_ioctl: "vhost_scsi_flush(vs);" };
    const later = readKernelSource(source(flushed, { log: "U64_MAX", net: "VIRTIO_F_IN_ORDER," }));
    expect(rowDifferences(row("linux-6.16"), later.series)).toEqual([
      "flush is true in the sources, false in the row",
      "inOrderRange is true in the sources, false in the row",
    ]);
  });

  test("words in comments say nothing", () => {
    const commented = { ...OLD, vhost_scsi_ioctl: "/* vhost_scsi_flush(vs); */ return 0;" };
    expect(readKernelSource(source(commented)).series.flush).toBe(false);
    const open = source(OLD, { net: "/* VIRTIO_F_IN_ORDER" });
    expect(readKernelSource(open).series.inOrderRange).toBe(false);
  });

  test("a function that is gone is no answer", () => {
    const { vhost_scsi_ioctl: _, ...rest } = OLD;
    expect(() => readKernelSource(source(rest))).toThrow(/no function vhost_scsi_ioctl\(\)/);
    expect(() => readKernelSource(source(OLD, { makefile: "all:\n" }))).toThrow(/no VERSION/);
    expect(() => readKernelSource(source(OLD, { net: null }))).toThrow("no drivers/vhost/net.c");
  });
});

describe("npm run rows", () => {
  const folder = mkdtempSync(join(tmpdir(), "rows-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const tree = (name: string, files: KernelSource): string => {
    for (const [key, path] of Object.entries(SOURCE_FILES)) {
      const at = join(folder, name, path);
      mkdirSync(dirname(at), { recursive: true });
      writeFileSync(at, files[key as keyof KernelSource] ?? "");
    }
    return join(folder, name);
  };
  const rows = (...args: string[]) =>
    spawnSync(process.execPath, [join(ROOT, "dist/src/rows.js"), ...args], { encoding: "utf8" });

  test("the table has it right: status 0", () => {
    const run = rows("--kernel-source", tree("old", source(OLD)));
    expect([run.status, run.stderr]).toEqual([0, ""]);
    expect(run.stdout).toContain("Linux 6.1.20, row linux-6.1\n");
    expect(run.stdout).toContain("The row says the same");
  });

  test("the table is behind: what, and which row it is like; status 1", () => {
    const fixed = { ...OLD, vhost_scsi_complete_cmd_work: "mutex_lock(&vq->mutex);" };
    const run = rows("--kernel-source", tree("fixed", source(fixed)));
    expect(run.status).toBe(1);
    expect(run.stdout).toContain("The row says otherwise: patch 1 is in the sources");
    expect(run.stdout).toContain("It is as linux-6.1.146, linux-6.6.93");
  });

  test("no tree: status 2, and what is missing", () => {
    const run = rows("--kernel-source", join(folder, "nowhere"));
    expect([run.status, run.stdout]).toEqual([2, ""]);
    expect(run.stderr).toContain("no Makefile");
    expect(rows().status).toBe(2);
  });
});

/**
 * A guest on vhost-scsi that is migrated: the probes of guest.ts, and the events of the source's
 * QEMU in between. Rules: docs/recording.md; migration/ram.c, hw/virtio/vhost.c.
 */
import type { NormalisedEvent } from "../../src/model/event.ts";
import type { MigrationResult, MigrationVerdict } from "../../src/model/migration-result.ts";
import type { PageRun } from "../../src/model/result.ts";
import { findPolicy, type Policy } from "../../src/vhost/policy.ts";
import { Guest, type GuestOptions } from "./guest.ts";
import { memorySource, type OneMachine, replayAll } from "./memory-source.ts";

/** RAM of the guest at this address of QEMU. */
export const HVA = 0x7f0000000000n;
export const SOURCE_TID = 7001;
const VHOST_GET_VRING_BASE = 0xc008af12;
const MIB = 1 << 20;

interface Slot {
  slot: number;
  gpa: number;
  hva: bigint;
  /** Address space: 1 is that of SMM. */
  as: number;
}

export class MigrationGuest extends Guest {
  constructor(options: GuestOptions = {}) {
    super({ logAll: false, logused: false, ...options });
  }

  /** One event of QEMU, arguments by their names. */
  qemu(name: string, args: Record<string, string | number> = {}, pid = SOURCE_TID): this {
    this.events.push({ event: "qemu", name, ts: "0", cpu: 0, pid, args } as NormalisedEvent);
    return this;
  }

  /** memory_global_dirty_log_start(): QEMU's bitmap, then vhost's. */
  start(): this {
    this.qemu("migrate_set_state", { new_state: "setup" });
    this.qemu("global_dirty_changed", { bitmask: 1 });
    this.logOn();
    return this.qemu("migrate_set_state", { new_state: "active" });
  }

  /** vhost_migration_log() of a running device: features, then every ring. */
  logOn(on = true): this {
    this.setLogAll(on);
    for (const index of this.queues.keys()) this.setVringAddr(index, on);
    return this;
  }

  #found = 0;

  /**
   * migration_bitmap_sync(): the vhost log is read between the two events. QEMU's counter of pages that
   * were found goes on, unless it is told.
   */
  bitmapSync(dirtyPages = this.#found): this {
    this.#found = dirtyPages;
    this.qemu("migration_bitmap_sync_start");
    this.qemu("memory_region_sync_dirty", { mr: "(all)", listener: "vhost", global: 0 });
    return this.qemu("migration_bitmap_sync_end", { dirty_pages: dirtyPages });
  }

  /** ram_save_page() of the page with this number; pc.ram begins at guest address 0. */
  save(...pages: number[]): this {
    for (const page of pages) {
      const offset = BigInt(page) << 12n;
      this.qemu("ram_save_page", {
        rbname: "pc.ram",
        offset: `0x${offset.toString(16)}`,
        host: `0x${(HVA + offset).toString(16)}`,
      });
    }
    return this;
  }

  /** QEMUFile is flushed: the end of a pass. */
  flush(): this {
    return this.qemu("savevm_section_end", { id: "ram", section_id: 2, ret: 0 });
  }

  #fetched = 1000;

  /**
   * KVM's dirty ring gives the page to QEMU. Slot 0 begins at guest address 0. What is called the
   * slot is the ring's fetch index: accel/kvm/kvm-all.c kvm_dirty_ring_reap_one().
   */
  cpuDirtied(page: number): this {
    const args = { vcpu: 0, slot: this.#fetched++, offset: `0x${page.toString(16)}` };
    return this.qemu("kvm_dirty_ring_page", args);
  }

  /** KVM's memory slot 0, all of the guest's RAM; or another one. */
  slot(
    bytes = 64 * MIB,
    { slot = 0, gpa = 0, hva = HVA, as = 0 }: Partial<Slot> = {},
    pid = SOURCE_TID,
  ): this {
    const args = {
      ...{ as, slot, flags: "0x1", guest_phys_addr: `0x${gpa.toString(16)}` },
      ...{ memory_size: `0x${bytes.toString(16)}`, userspace_addr: `0x${hva.toString(16)}` },
      ...{ fd: -1, fd_offset: "0x0", ret: 0 },
    };
    return this.qemu("kvm_set_user_memory", args, pid);
  }

  /** A request that writes these pages; it stays in flight. */
  popPages(head: number, ...pages: number[]): this {
    return this.submit(
      head,
      pages.map((page) => [page << 12, 4096] as const),
    );
  }

  /** A request that writes these pages, completed. */
  writePages(...pages: number[]): this {
    return this.popPages(0, ...pages).used(2, 0);
  }

  /** vhost_dev_stop(): no more requests, rings given back. */
  stopDevice(queues: readonly number[] = [0, 1, 2]): this {
    this.clearEndpoint();
    for (const index of queues) this.ioctl(VHOST_GET_VRING_BASE, [index]);
    return this;
  }

  /** The guest is stopped, the device too, the last pass. */
  switchover(): this {
    this.qemu("migration_completion_vm_stop", { ret: 0 });
    this.stopDevice();
    return this.bitmapSync();
  }

  end(state = "completed"): this {
    return this.qemu("migrate_set_state", { new_state: state });
  }

  /** All events, a microsecond apart. */
  timed(): NormalisedEvent[] {
    return this.events.map((event, i) => ({
      ...event,
      ts: (5_000_000_000n + BigInt(i) * 1000n).toString(),
    }));
  }

  ndjson(): string {
    return this.timed()
      .map((event) => `${JSON.stringify(event)}\n`)
      .join("");
  }
}

/** Page numbers of runs, ascending. */
export function pagesOf(runs: readonly PageRun[]): number[] {
  return runs
    .flatMap(({ gfn, pages }) => Array.from({ length: pages }, (_, i) => gfn + i))
    .sort((a, b) => a - b);
}

export interface Verdict {
  stale: number[];
  likely: number[];
  possible: number[];
  healed: number[];
  by: Record<string, number[]>;
  verdict: MigrationVerdict;
}

export function verdictOf(migration: MigrationResult, policy: string): Verdict {
  const name = findPolicyName(policy);
  const verdict = migration.verdicts.find((entry) => entry.policy === name);
  if (!verdict) throw new Error(`no verdict of ${policy}`);
  const by: Record<string, number[]> = {};
  for (const entry of verdict.healed) by[entry.by] = pagesOf(entry.runs);
  return {
    stale: pagesOf(verdict.stale),
    likely: pagesOf(verdict.likelyStale),
    possible: pagesOf(verdict.possiblyStale),
    healed: verdict.healed.flatMap(({ runs }) => pagesOf(runs)).sort((a, b) => a - b),
    by,
    verdict,
  };
}

function findPolicyName(name: string): string {
  try {
    return findPolicy(name).name;
  } catch {
    return name;
  }
}

/** Replays a guest; the vhost that ran is the first policy unless told otherwise. */
export async function replayMigration(
  guest: MigrationGuest,
  policies: readonly Policy[] = [findPolicy("unpatched"), findPolicy("patched")],
  ran: Policy = policies[0]!,
  stalePages = true,
): Promise<OneMachine> {
  return replayAll([memorySource("case", guest.ndjson())], {
    policies: policies.map((policy) => ({ policy, alias: null })),
    window: "auto",
    stalePages,
    ran,
  });
}

/**
 * Why pages are written, the rows that are computed of them, and the evidence that is kept: like abi.ts
 * compiled by asc and by tsc, so nothing but integer constants and enums.
 */

// ---------------------------------------------------------------- causes
/**
 * Why a device wrote guest memory, and in which state the dirty log was. One bit-plane each: a
 * policy is a mask over these, so the cost of a write does not depend on the number of policies.
 *
 * Who: Ring = used element and used idx; Notify = used->flags and avail_event; Io, Ctl, Evt = a
 * write descriptor of an I/O, control, event queue of vhost-scsi; Rx = the first bytes of the
 * descriptors of a packet of vhost-net, as far as it fills them; Vsock = the same of vhost-vsock;
 * Elem = a used element in a ring with VIRTIO_F_IN_ORDER; Stray = written by the device and given
 * back (the byte of an overrun).
 * Two are no writes but what some vhost logs for them: Range is what vhost-net logs for Elem, which
 * lies elsewhere; Part is the first bytes, up to the used length, of Io, Ctl and Evt (all of them
 * where the device tells no length, as vhost-scsi).
 * Those from RingFlag on are of user-space back ends: docs/model.md.
 * State: Logged = logging was on, and the entries were captured at pop; Late = popped before
 * LOG_ALL was set, completed after it; Freed = captured, but LOG_ALL went off and on again before
 * the completion; NoBase = logging on, SET_LOG_BASE never done; Off = outside the logging window.
 */
export enum Cause {
  RingLogged = 0,
  RingNoBase,
  RingOff,
  NotifyLogged,
  NotifyNoBase,
  NotifyOff,
  IoLogged,
  IoLate,
  IoFreed,
  IoNoBase,
  IoOff,
  CtlLogged,
  CtlLate,
  CtlNoBase,
  CtlOff,
  EvtLogged,
  EvtNoBase,
  EvtOff,
  RxLogged,
  RxNoBase,
  RxOff,
  VsockLogged,
  VsockNoBase,
  VsockOff,
  ElemLogged,
  ElemNoBase,
  ElemOff,
  RangeLogged,
  StrayLogged,
  StrayOff,
  PartLogged,
  PartOff,
  RingFlag,
  RingAll,
  RingBeyond,
  PackedLogged,
  PackedOff,
  PackedLeftOut,
  PackedLeftOff,
  PackedAstray,
  IoBeyond,
  IoRefused,
  RxBeyond,
  HeaderPiece,
  HeaderAstray,
  /** No cause: how many there are. A new one goes in front of it. */
  Count,
}
/** Number of causes, i.e. of bit-planes. A mask of them is a u64, which planes.ts checks. */
export const CAUSES = Cause.Count;

// ---------------------------------------------------------------- rows
/** At most so many rows (a policy under one reading of the window) in one replay. */
export const MAX_ROWS = 32;
/** A row: u64 mask of causes inside the window, u64 mask of causes this policy logs. */
export const ROW_WINDOW = 0;
export const ROW_LOGS = 8;
export const ROW_SIZE = 16;
/** Counts of a row at a sync, u64 each. */
export const COUNT_WRITTEN = 0;
export const COUNT_LOGGED = 8;
/** Pages written in the window and not logged in this round. */
export const COUNT_LOST = 16;
/** Pages logged and not written in the window. */
export const COUNT_EXTRA = 24;
/** Pages lost in this round and in no round before. */
export const COUNT_NEWLY_LOST = 32;
/** Stale pages after this sync: the running total. */
export const COUNT_STALE = 40;
/** Lost in any round so far: the running total. */
export const COUNT_EVER_LOST = 48;
export const COUNTS_SIZE = 56;
/** Which set of a row: of this round, or kept over the rounds. */
export enum RowSet {
  Written = 0,
  Logged,
  Lost,
  EverWritten,
  EverLogged,
  EverLost,
  Stale,
  // Of the last migration, see assembly/migration/migration.ts.
  /** Certainly stale; likely, and no more; possibly, and no more. */
  MigStale,
  MigLikely,
  MigPossible,
  /** Left out of the log and covered later, by whom: Healer of migration-page.ts, from 1. */
  MigFirstSend,
  MigResend,
  MigLog,
  MigCpu,
  MigStop,
  /** Logged by this policy and never sent again: it is not the one that made the recording. */
  MigPending,
  /** Stale had no page been sent again, and not MigStale. */
  MigResendless,
}

// ---------------------------------------------------------------- evidence
/** A write that was the first in its round to touch some page of its cause. */
export const EVIDENCE_SIZE = 88;
export const EVIDENCE_GPA = 0;
export const EVIDENCE_LEN = 8;
export const EVIDENCE_TS = 16;
export const EVIDENCE_PLACE = 24;
/** u64: serial number of the request, 0 for a ring write. */
export const EVIDENCE_REQUEST = 32;
export const EVIDENCE_POP_TS = 40;
export const EVIDENCE_POP_PLACE = 48;
/** i32, -1 for a ring write. */
export const EVIDENCE_HEAD = 56;
export const EVIDENCE_ROUND = 60;
/** u32: number of the queue in the order in which queues were first seen. */
export const EVIDENCE_QUEUE = 64;
export const EVIDENCE_CAUSE = 68;
/** u16 each: stream of the event; stream of the pop, 0xffff when not seen. */
export const EVIDENCE_STREAM = 72;
export const EVIDENCE_POP_STREAM = 74;

/** At most so many pieces of evidence are kept in one round. */
export const MAX_EVIDENCE = 65536;

/** Lost pages of one row, cause and queue over all rounds. */
export const FINDING_SIZE = 400;
export const FINDING_PAGES = 0;
export const FINDING_REQUESTS = 8;
export const FINDING_ROUNDS = 16;
export const FINDING_RUNS = 20;
/** u32: runs that are not kept. */
export const FINDING_MORE_RUNS = 24;
export const FINDING_ROW = 28;
/** u64: serial of the request counted last; u32: round counted last. */
export const FINDING_LAST_REQUEST = 32;
export const FINDING_LAST_ROUND = 40;
export const FINDING_NEXT = 44;
/** The first evidence, EVIDENCE_SIZE bytes. */
export const FINDING_FIRST = 48;
/** Runs: u32 first page, u32 count. */
export const FINDING_RUN_LIST = 136;
export const FINDING_MAX_RUNS = 32;

/** The last write that a policy left out of a page: an EVIDENCE record, and how it lies to a send. */
export const STALE_SIZE = 112;
/** u64: page | row << 32. */
export const STALE_KEY = 88;
/** u32: microseconds from the start of the migration to the last send, plus one; 0: none known. */
export const STALE_SENT = 96;
/** u32: MIG_DOUBT_*; 0 when the request was popped after the last send. */
export const STALE_DOUBT = 100;
/** In the first pass, on a page of which no send was seen yet. */
export const MIG_DOUBT_FIRST_PASS = 1;
/** Between the send's event and the flush of QEMU's iovec, or within the clocks' tolerance. */
export const MIG_DOUBT_FLIGHT = 2;
/** No sends are recorded: queued since the last harvest. */
export const MIG_DOUBT_QUEUED = 4;
/** The request was popped before the page was read last: the write may have been before that, too. */
export const MIG_DOUBT_POPPED = 8;
/** No send of the page was recorded. */
export const MIG_DOUBT_UNSEEN = 16;

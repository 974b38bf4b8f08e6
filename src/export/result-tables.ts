/** The tables of an export that say what the answer says: a row for each of its entries. */
import type { HistoryResult } from "../history/header.ts";
import { formatPlace } from "../model/place.ts";
import { type ExportTable, ofObjects, type TableRows } from "./schema.ts";

const nsOrNull = (ns: string | null): bigint | null => (ns === null ? null : BigInt(ns));

type ResultTable = Exclude<ExportTable, "requests" | "writes" | "sends" | "pages" | "round_pages">;

/** Tables of one machine's answer. */
export const RESULT_TABLES: Readonly<Record<ResultTable, (result: HistoryResult) => TableRows>> = {
  machines: (result) =>
    ofObjects("machines", [
      {
        machine: result.number,
        pid: result.pid,
        name: result.name,
        log_window: result.window,
        verdict: result.verdict,
        certainty: result.certainty,
        written: result.written,
        rounds_left_out: result.moreRounds,
        findings_left_out: result.moreFindings,
      },
    ]),
  policies: (result) =>
    ofObjects(
      "policies",
      result.policies.map(({ name, title, whatIf, logged, lost, stillLost }) => ({
        ...{ machine: result.number, policy: name, title, what_if: whatIf },
        ...{ logged, lost, still_lost: stillLost },
      })),
    ),
  devices: (result) =>
    ofObjects(
      "devices",
      result.devices.map(({ number, driver, features }) => ({
        ...{ machine: result.number, device: number, driver, features },
      })),
    ),
  queues: (result) =>
    ofObjects(
      "queues",
      result.devices.flatMap(({ number, queues }) =>
        queues.map((queue) => ({
          machine: result.number,
          device: number,
          queue: queue.index,
          num: queue.num,
          popped: queue.popped,
          completed: queue.completed,
          unknown_head: queue.unknownHead,
          rejected: queue.rejected,
          dropped: queue.dropped,
          in_flight_at_end: queue.inFlightAtEnd,
          lost_completions: queue.lostCompletions,
          write_descriptors: queue.writeDescriptors,
          write_bytes: queue.writeBytes,
        })),
      ),
    ),
  rounds: (result) =>
    ofObjects(
      "rounds",
      result.rounds.flatMap((round) =>
        round.policies.map((policy, i) => ({
          machine: result.number,
          round: round.index,
          policy: result.policies[i]!.name,
          sync: round.sync?.number ?? null,
          sync_ns: nsOrNull(round.sync?.ns ?? null),
          written: round.written,
          logged: policy.logged,
          lost: policy.lost,
          extra: policy.extra,
          newly_lost: policy.newlyLost,
          still_lost: policy.stillLost,
          sent: round.bitmapSync?.sent ?? null,
          caveats: round.caveats.length,
        })),
      ),
    ),
  migrations: (result) =>
    ofObjects(
      "migrations",
      result.migrations.map((migration, i) => ({
        machine: result.number,
        migration: i,
        source: migration.from,
        outcome: migration.outcome,
        log_on_ns: BigInt(migration.logOn.ns),
        first_sync_ns: nsOrNull(migration.firstSyncNs),
        stopped_ns: nsOrNull(migration.stoppedNs),
        postcopy_ns: nsOrNull(migration.postcopyNs),
        end_ns: nsOrNull(migration.endNs),
        syncs: migration.syncs,
        sent_data: migration.sends.data,
        sent_zero: migration.sends.zero,
        sent_unplaced: migration.sends.unplaced,
        send_times: migration.sendTimes,
        cpu_dirtied: migration.cpuDirtied,
      })),
    ),
  verdicts: (result) =>
    ofObjects(
      "verdicts",
      result.migrations.flatMap(({ verdicts }, i) =>
        verdicts.map(({ policy, best, likely, worst, whatIf }) => ({
          machine: result.number,
          migration: i,
          policy,
          stale: best,
          at_most_likely: likely,
          at_most: worst,
          what_if: whatIf,
        })),
      ),
    ),
  findings: (result) =>
    ofObjects(
      "findings",
      result.findings.map((finding) => ({
        machine: result.number,
        code: finding.code,
        policy: finding.policy,
        device: finding.device,
        queue: finding.queue,
        cause: finding.cause,
        round: finding.round,
        rounds: finding.rounds,
        pages: finding.pages,
        requests: finding.requests,
        certainty: finding.certainty,
        first_ns: BigInt(finding.first.ns),
        first_gpa: finding.first.gpa,
        first_request: finding.first.request,
        first_place: formatPlace(finding.first.place),
      })),
    ),
  limits: (result) =>
    ofObjects(
      "limits",
      result.limits.map(({ code, effect, text, places }) => ({
        ...{ machine: result.number, code, effect, sentence: text, places: places.length },
      })),
    ),
};

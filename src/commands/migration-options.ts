/** Options of what is said about a migration: which vhost ran, who owns the pages. */
import type { Owners } from "../report/owners-of.ts";

export interface MigrationArguments {
  /** Policy of the vhost that ran. */
  ran?: string;
  /** CSV or NDJSON: gfn, owner, kind. */
  owners?: string;
}

/** What the options say. Throws RecordingError for an owners file that cannot be read. */
export async function migrationOptions(
  args: MigrationArguments,
): Promise<{ ran: string | undefined; owners: Owners | null }> {
  return { ran: args.ran, owners: null };
}

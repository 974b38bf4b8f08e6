/** The state of an instance, made before the first event. */
import { newMigration, useMigration } from "./migration/migration-state";
import { setRows } from "./pages/planes";

/** Room for `rows` rows; once in the life of an instance. False: out of memory. */
export function prepare(rows: u32): bool {
  let migration = newMigration();
  if (!migration || !setRows(rows)) return false;
  useMigration(migration);
  return true;
}

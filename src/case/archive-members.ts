/** The members of a tar archive, as sources. */
import { unwrap } from "../bytes/decompress.ts";
import type { RandomAccess, Source, Surroundings } from "../bytes/source.ts";
import { isTar, tarMemberSource, tarMembers } from "../bytes/tar.ts";
import { RecordingError } from "../model/place.ts";

/** An archive in an archive. */
const MOST_NESTING = 3;

/** A file as it is, or the members of the archive that it is, compressed or not. */
export async function fileOrMembers(
  source: Source,
  surroundings: Surroundings,
  nesting = 0,
): Promise<Source[]> {
  if (source.random === undefined || nesting === MOST_NESTING) return [source];
  const archive = await openArchive(source, surroundings);
  if (archive === null) return [source];
  const sources: Source[] = [];
  for (const member of await tarMembers(source.name, archive)) {
    const inner = tarMemberSource(source.name, archive, member);
    sources.push(...(await fileOrMembers(inner, surroundings, nesting + 1)));
  }
  return sources;
}

/** Access to a tar archive, which stays open until the process ends; null: it is none. */
async function openArchive(
  source: Source,
  surroundings: Surroundings,
): Promise<RandomAccess | null> {
  let opened: Awaited<ReturnType<typeof unwrap>>;
  try {
    // An archive that is cut off has members before that.
    opened = await unwrap(source, () => {});
  } catch (error) {
    if (error instanceof RecordingError) return null;
    throw error;
  }
  if (!isTar(opened.head)) {
    opened.stream().close();
    return null;
  }
  const why = `${source.name}: an archive is read by offset, so it is kept in a temporary file`;
  return opened.random() ?? (await surroundings.spool(source.name, opened.stream(), why));
}

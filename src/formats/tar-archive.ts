/** A tar archive given as a recording: refused with the names of its members. */
import { isTar, tarMembers } from "../bytes/tar.ts";
import { RecordingError } from "../model/place.ts";
import type { Format, FormatInput } from "./format.ts";

const NAMES = 8;

export const tarArchive: Format = {
  name: "tar",
  describe: () => "a tar archive",
  sniff: (head) => (isTar(head) ? { variant: "" } : null),
  open,
};

async function open({ unwrapped, surroundings }: FormatInput): Promise<never> {
  const { name } = unwrapped;
  const why = `${name}: an archive is read by offset, so it is kept in a temporary file`;
  const archive = unwrapped.random() ?? (await surroundings.spool(name, unwrapped.stream(), why));
  try {
    const members = await tarMembers(name, archive);
    const names = members.slice(0, NAMES).map((member) => member.name);
    const more = members.length > NAMES ? ` and ${members.length - NAMES} more` : "";
    throw new RecordingError(
      { file: name, at: "" },
      "one recording (unpack the archive and give what belongs to one machine)",
      `a tar archive of ${names.join(", ") || "no files"}${more}`,
    );
  } finally {
    archive.close();
  }
}

/** The files of a case, and what each is. */
import type { Answer } from "../../answers/affected.ts";
import type { Case } from "../../case/case.ts";
import { counted } from "../../model/counted.ts";
import { affectedSentences } from "./affected-text.ts";
import { headlines } from "./report-text.ts";
import { printable, sectionsText, type TextStyle, wrapText } from "./text-layout.ts";

/** Files that are left out are shown so far: so many lines, each of so many names. */
const SHOWN_STRANGERS = 12;
const SHOWN_NAMES = 4;

/** First what is used, a line a file; then what is left out, a line for all of which the same is said. */
export function caseText(opened: Case): string[] {
  const { name, files } = opened;
  const others = files.filter((file) => !file.used);
  const short = shortener(name);
  const lines = usedLines(opened, short);
  const alike = new Map<string, string[]>();
  for (const { said, name: file } of others) {
    const names = alike.get(said);
    if (names) names.push(short(file));
    else alike.set(said, [short(file)]);
  }
  const groups = [...alike];
  for (const [said, names] of groups.slice(0, SHOWN_STRANGERS)) {
    lines.push(`${shownNames(names)}: ${said}`);
  }
  const more = groups.slice(SHOWN_STRANGERS).reduce((sum, [, names]) => sum + names.length, 0);
  if (more > 0) lines.push(`and ${counted(more, "more file")}, left out`);
  return [
    `Files of ${printable(name)}`,
    "",
    ...lines.flatMap((line) => wrapText(printable(line), "  ", "    ")),
  ];
}

/** A line a file that is used; the images of a dirty log are one, with the first and the last of them. */
function usedLines({ files, options }: Case, short: (file: string) => string): string[] {
  const used = files.filter((file) => file.used);
  const { observed } = options;
  const images =
    observed === undefined ? [] : used.filter((file) => file.name.startsWith(`${observed}/`));
  const lines = used
    .filter((file) => !images.includes(file))
    .map((file) => `${short(file.name)}: ${file.said}`);
  const names = images.map((file) => file.name).toSorted();
  if (names.length > 0) {
    const [first, last] = [names[0]!, names.at(-1)!];
    const which =
      names.length === 1
        ? short(first)
        : `${short(first)} to ${last.slice(last.lastIndexOf("/") + 1)}`;
    lines.push(
      `${which}: ${counted(names.length, "image")} of a dirty log, for verify and identify`,
    );
  }
  return lines;
}

function shownNames(names: readonly string[]): string {
  const more = names.length - SHOWN_NAMES;
  const shown = names.slice(0, SHOWN_NAMES).join(", ");
  return more > 0 ? `${shown} and ${more} more` : shown;
}

function shortener(folder: string): (file: string) => string {
  const prefix = folder.endsWith("/") ? folder : `${folder}/`;
  return (file) => (file.startsWith(prefix) ? file.slice(prefix.length) : file);
}

/** Several cases: what each says first, and the files to give to ask more. */
export function caseListText(
  cases: readonly { opened: Case; answer: Answer }[],
  style: TextStyle,
): string {
  return sectionsText(
    cases.map(({ opened, answer }) => [
      ...affectedSentences(answer)
        .flatMap((text) => wrapText(text, "", "  "))
        .map((line) => style.bold(line)),
      ...headlines(answer.result).flatMap((text) => wrapText(printable(text), "  ", "  ")),
      ...usedLines(opened, (file) => file).flatMap((line) =>
        wrapText(printable(line), "  ", "    "),
      ),
    ]),
  );
}

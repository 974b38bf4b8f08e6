/** What `log` says of the images it wrote. */
import type { Answer, LogImage } from "../../answers/log-images.ts";
import { countOf } from "./number-text.ts";
import { printable } from "./text-layout.ts";

/** One line an image. Ends in a line feed. */
export function logText(images: readonly LogImage[]): string {
  const pages = images.reduce((sum, image) => sum + image.pages, 0);
  const lines = images.map((image) =>
    `${image.file}  ${`${image.pages}`.padStart(8)} ${image.pages === 1 ? "page " : "pages"}  ${printable(image.mark?.name ?? "")}`.trimEnd(),
  );
  return `${[`${countOf(images.length, "image")}, ${countOf(pages, "page")} in all`, ...lines].join("\n")}\n`;
}

/** Pages that an image has no room for, and what makes the images inexact; a line each. */
export function logWarnings({ images, result }: Answer): string[] {
  const beyond = images
    .filter((image) => image.beyond > 0)
    .map((image) => `${image.file}: ${countOf(image.beyond, "logged page")} beyond its size`);
  const { certainty, limits: all } = result.machines[0]!;
  if (certainty === "exact") return beyond;
  const limits = all.filter((limit) => limit.effect !== null);
  return [...beyond, ...limits.map((limit) => printable(limit.text))];
}

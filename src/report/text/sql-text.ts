/** Answers of SQL for people: aligned columns, as wide as the first rows need. */
import { alignColumns, printable } from "./text-layout.ts";

export const QUERY_SCHEMA = "vhost-replay/query/1";

interface Answer {
  columns: readonly { name: string; type: string }[];
  rows: AsyncIterable<readonly (readonly unknown[])[]>;
}

const NUMBER = /INT|DOUBLE|FLOAT|DECIMAL/;

/** The lines, some thousand at a time; null is `-`. A statement without rows says so. */
export async function* answerLines({ columns, rows }: Answer): AsyncGenerator<string> {
  const align = columns.map(({ type }) => (NUMBER.test(type) ? "r" : "l")).join("");
  let first = true;
  for await (const chunk of rows) {
    if (chunk.length === 0) continue;
    const cells = chunk.map((row) => row.map(cell));
    if (first) cells.unshift(columns.map(({ name }) => printable(name)));
    yield `${alignColumns(cells, align).join("\n")}\n`;
    first = false;
  }
  if (first) yield "no rows\n";
}

function cell(value: unknown): string {
  if (value === null) return "-";
  return printable(typeof value === "string" ? value : JSON.stringify(value));
}

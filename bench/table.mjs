/** Tables as Markdown, aligned so that they can be read as they are printed. */

/** Lines of a table; the first row is its head, the first column is text. */
export function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row) =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(" | ")} |`;
  const dashes = widths.map((width, i) => `${"-".repeat(width - 1)}${i === 0 ? "-" : ":"}`);
  return [line(rows[0]), line(dashes), ...rows.slice(1).map(line)];
}

/** Two digits behind the point, and two that say something where there are none before it. */
export function ratio(value) {
  return value < 0.1 ? value.toPrecision(2) : value.toFixed(2);
}

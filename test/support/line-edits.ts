/** What may befall a line: left alone, one character another, one more, one less, cut. */
export type Edit = (line: string, at: number, char: string) => string;

export const EDITS: readonly Edit[] = [
  (line) => line,
  (line, at, char) => line.slice(0, at) + char + line.slice(at + 1),
  (line, at, char) => line.slice(0, at) + char + line.slice(at),
  (line, at) => line.slice(0, at) + line.slice(at + 1),
  (line, at) => line.slice(0, at),
];

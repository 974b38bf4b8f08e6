/** `1 request`, `2 requests`, `2 addresses`. */
export function counted(n: number, noun: string): string {
  const ending = noun.endsWith("s") ? "es" : "s";
  return `${n} ${noun}${n === 1 ? "" : ending}`;
}

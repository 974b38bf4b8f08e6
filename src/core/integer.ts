/** Integers as JSON gives them: numbers where they are safe, else strings. */

/** Lowest and highest value of a field of so many bytes, signed or not. */
const LIMITS: Record<number, [bigint, bigint]> = {
  1: [-(1n << 7n), (1n << 8n) - 1n],
  2: [-(1n << 15n), (1n << 16n) - 1n],
  4: [-(1n << 31n), (1n << 32n) - 1n],
  8: [-(1n << 63n), (1n << 64n) - 1n],
};

/** The integer that `value` means; null when it means none, or none that fits `size` bytes. */
export function integer(value: unknown, size: number): bigint | null {
  let number: bigint;
  if (typeof value === "number" && Number.isSafeInteger(value)) number = BigInt(value);
  else if (typeof value === "string" && /^(0x[0-9a-f]{1,16}|-?\d{1,20})$/i.test(value)) {
    number = BigInt(value);
  } else return null;
  const [low, high] = LIMITS[size]!;
  return number < low || number > high ? null : number;
}

import fc from "fast-check";
import { expect, test } from "vitest";
import { ColumnWriter, readColumn } from "../../src/history/varint.ts";

const MOST = 2 ** 51;
const numbers = fc.array(fc.maxSafeInteger().map((n) => n % MOST));

test.each([true, false])("a column is read as it was written, delta %s", (delta) => {
  fc.assert(
    fc.property(numbers, (values) => {
      const column = new ColumnWriter(delta);
      for (const value of values) column.put(value);
      const into = new Float64Array(values.length);
      expect(readColumn(column.bytes(), delta, into)).toBe(true);
      expect([...into]).toEqual(values.map((value) => value + 0));
    }),
  );
});

test("the bytes are those that docs/history.md shows", () => {
  const column = new ColumnWriter(true);
  for (const value of [5, 4, 300, -(2 ** 40)]) column.put(value);
  expect(Buffer.from(column.bytes()).toString("hex")).toBe("0a01d004d784808080".concat("40"));
});

test("a column that is too short, too long or never ends is refused", () => {
  const column = new ColumnWriter(false);
  for (let i = 0; i < 10; i++) column.put(1000 * i);
  const bytes = column.bytes();
  expect(readColumn(bytes.subarray(0, -1), false, new Float64Array(10))).toBe(false);
  expect(readColumn(bytes, false, new Float64Array(9))).toBe(false);
  expect(readColumn(new Uint8Array(9).fill(255), false, new Float64Array(1))).toBe(false);
});

import assert from "node:assert/strict";
import { test } from "node:test";

import { barsPath } from "../src/table/cells";
import { nextSort, type Sort } from "../src/table/table";

test("a header sorts upwards, downwards, and not at all", () => {
  const clicks: Sort[] = [{}];
  for (let n = 0; n < 3; n += 1) clicks.push(nextSort(clicks.at(-1)!, 2));
  assert.deepEqual(clicks, [
    {},
    { column: 2, ascending: true },
    { column: 2, ascending: false },
    {},
  ]);
});

test("another header begins anew", () => {
  const sort = nextSort({ column: 2, ascending: false }, 0);
  assert.deepEqual(sort, { column: 0, ascending: true });
});

test("bars stand on the line of zero", () => {
  assert.equal(barsPath([100, 0], 50), "M0.00 50V0H40.00V50ZM50.00 50V100H90.00V50Z");
  assert.equal(barsPath([], 0), "");
});

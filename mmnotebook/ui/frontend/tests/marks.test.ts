import assert from "node:assert/strict";
import { test } from "node:test";
import { offsetAt, pieces, placeOf } from "../src/panes/marks";
import { wordsOf } from "../src/panes/Problems";
import type { Problem } from "../src/scene";

const at = (line: number | null, column: number | null): Problem => ({
  message: "wrong",
  node: null,
  line,
  column,
});

test("a place counts characters, not code units", () => {
  const text = 'a = "😀"\nb | c';
  assert.equal(offsetAt(text, 1, 1), 0);
  assert.equal(text[offsetAt(text, 1, 7)], '"');
  assert.equal(text[offsetAt(text, 2, 5)], "c");
  assert.equal(offsetAt(text, 9, 9), text.length);
  assert.deepEqual(placeOf(text, offsetAt(text, 2, 5)), { line: 2, column: 5 });
  assert.deepEqual(placeOf(text, offsetAt(text, 1, 7)), { line: 1, column: 7 });
});

test("the word at a problem is marked and the pieces are the text", () => {
  const text = 'digits["x"] | mpl\nmpl | vote()';
  const marked = pieces(text, [at(2, 1), at(1, 15), at(null, null), at(1, 8)]);
  assert.equal(marked.map((piece) => piece.text).join(""), text);
  const wrong = marked.filter((piece) => piece.wrong).map((piece) => piece.text);
  assert.deepEqual(wrong, ['"x"', "mpl", "mpl"]);
});

test("a problem at the end of a line marks its last character, in an empty text nothing", () => {
  const marked = pieces("a | (\nb", [at(1, 6)]).filter((piece) => piece.wrong);
  assert.deepEqual(
    marked.map((piece) => piece.text),
    ["("],
  );
  assert.deepEqual(pieces("", [at(1, 1)]), []);
});

test("two problems at one place are one mark", () => {
  const marked = pieces("abc", [at(1, 1), at(1, 2), at(1, 1)]);
  assert.deepEqual(marked, [{ text: "abc", wrong: true }]);
});

test("a problem does not name its step twice", () => {
  const problem = { message: "source needs 'data'", node: "source", line: null, column: null };
  assert.equal(wordsOf(problem), "needs 'data'");
  assert.equal(wordsOf({ ...problem, node: "source_2" }), "source needs 'data'");
  assert.equal(wordsOf({ ...problem, node: null }), "source needs 'data'");
});

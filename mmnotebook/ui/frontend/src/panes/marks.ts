// The positions of problems in a text. Pure; lines and columns count from 1, in characters, as in Python.

import type { Problem } from "../scene";

/** Return the offset of a line and column in a textarea. */
export function offsetAt(text: string, line: number, column: number): number {
  const lines = text.split("\n");
  const before = lines.slice(0, Math.max(0, line - 1));
  const start = before.reduce((sum, each) => sum + each.length + 1, 0);
  const within = Array.from(lines[line - 1] ?? "")
    .slice(0, Math.max(0, column - 1))
    .join("");
  return Math.min(start + within.length, text.length);
}

/** Return the line and column of an offset in a textarea. */
export function placeOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset).split("\n");
  return { line: before.length, column: Array.from(before.at(-1) ?? "").length + 1 };
}

export interface Piece {
  text: string;
  wrong: boolean;
}

/** Split a text into pieces, with the word at each problem as one piece. */
export function pieces(text: string, problems: readonly Problem[]): Piece[] {
  const found: Piece[] = [];
  let end = 0;
  for (const [from, to] of spans(text, problems)) {
    if (from < end) continue;
    if (from > end) found.push({ text: text.slice(end, from), wrong: false });
    found.push({ text: text.slice(from, to), wrong: true });
    end = to;
  }
  if (end < text.length) found.push({ text: text.slice(end), wrong: false });
  return found;
}

function spans(text: string, problems: readonly Problem[]): [number, number][] {
  const all = problems.flatMap<[number, number]>(({ line, column }) => {
    if (line === null) return [];
    const from = offsetAt(text, line, column ?? 1);
    const word = /^(?:[\p{L}\p{N}_]+|"[^"\n]*"?|[^\s]|[^\S\n]+)/u.exec(text.slice(from));
    // At the end of a line there is no word: mark the line's last character.
    if (word !== null) return [[from, from + word[0].length]];
    return from > 0 && text[from - 1] !== "\n" ? [[from - 1, from]] : [];
  });
  return all.sort((a, b) => a[0] - b[0]);
}

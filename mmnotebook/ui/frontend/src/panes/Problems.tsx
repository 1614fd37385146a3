// The list of problems; a click shows where a problem is.

import { memo } from "react";

import { type Builder, useBuilder, useNow } from "../bridge";
import type { Problem } from "../scene";
import { Icon } from "./icons";
import { offsetAt } from "./marks";

export const Problems = memo(function Problems() {
  const { problems, textProblems } = useBuilder((builder) => builder.scene);
  const now = useNow();
  const all = [...textProblems, ...problems];
  return (
    <section className="mm-problems" aria-label="Problems">
      <header className="mm-pane-head">
        <h3>Problems</h3>
        {all.length > 0 && <span className="mm-pane-count">{all.length}</span>}
      </header>
      {all.length === 0 && (
        <p className="mm-problems-none">
          <Icon name="good" />
          No problems
        </p>
      )}
      <ul>
        {all.map((problem, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the same problem may occur twice.
          <li key={index}>
            <button type="button" className="mm-problem" onClick={() => show(now(), problem)}>
              <Icon name="problem" />
              <span>
                <strong>{whereOf(problem)}</strong> {wordsOf(problem)}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
});

function whereOf({ node, line }: Problem): string {
  if (node !== null) return node;
  return line === null ? "" : `line ${line}`;
}

/** Return the message without the node's name at its start, which is shown before it. */
export function wordsOf({ node, message }: Problem): string {
  return node !== null && message.startsWith(`${node} `) ? message.slice(node.length + 1) : message;
}

/** Select and center the node of a problem, or put the caret at its position in the text. */
function show(builder: Builder, problem: Problem): void {
  const { node, line, column } = problem;
  if (node !== null && builder.scene.nodes.some((each) => each.name === node)) {
    builder.select([node]);
    builder.canvas.current?.reveal([node]);
    builder.canvas.current?.focus(node);
    return;
  }
  builder.adjust({ text: true });
  requestAnimationFrame(() => {
    const area = builder.root.current?.querySelector<HTMLTextAreaElement>(".mm-text textarea");
    if (!area) return;
    const at = line === null ? area.value.length : offsetAt(area.value, line, column ?? 1);
    area.focus();
    area.setSelectionRange(at, at);
  });
}

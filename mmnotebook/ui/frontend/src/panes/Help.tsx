// The list of keys, from the table of actions.

import { memo, useEffect, useId, useRef } from "react";
import type { Action } from "../action";
import { ACTIONS } from "../actions";
import { useBuilder, useNow } from "../bridge";
import { Icon } from "./icons";

const GROUPS: [Action["group"], string][] = [
  ["Run", "Run"],
  ["Edit", "Edit"],
  ["Wires", "Wires"],
  ["Walk", "Nodes"],
  ["View", "View"],
];

/** The gestures of the mouse. */
const GESTURES: [string, string][] = [
  ["Drag from the palette", "Add a step where it is dropped"],
  ["Drag from an output to a node", "Connect; on the empty canvas: add the next step"],
  ["Drag a wire's end", "Connect it elsewhere"],
  ["Shift+drag, Ctrl+click", "Select several"],
  ["Ctrl+wheel", "Zoom"],
];

export const Help = memo(function Help() {
  const isOpen = useBuilder((builder) => builder.view.help);
  const now = useNow();
  return isOpen ? <HelpDialog onClose={() => now().adjust({ help: false })} /> : null;
});

function HelpDialog({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  // A modal dialog traps the focus, closes on Escape, and restores the focus.
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      className="mm-dialog mm-help"
      aria-labelledby={id}
      onClose={onClose}
      onKeyDown={(event) => event.stopPropagation()}
      onClick={(event) => event.target === dialog.current && dialog.current.close()}
    >
      <header>
        <h2 id={id}>Keys</h2>
        <button
          type="button"
          className="mm-tool"
          title="Close (Escape)"
          aria-label="Close"
          onClick={() => dialog.current?.close()}
        >
          <Icon name="close" />
        </button>
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it can be scrolled with the keyboard. */}
      <div className="mm-help-groups" tabIndex={0} role="group" aria-label="Keys by group">
        {GROUPS.map(([group, title]) => (
          <Group
            key={group}
            title={title}
            actions={ACTIONS.filter((each) => each.group === group)}
          />
        ))}
        <section>
          <h3>Mouse</h3>
          <dl>
            {GESTURES.map(([how, what]) => (
              <div key={how}>
                <dt>{how}</dt>
                <dd>{what}</dd>
              </div>
            ))}
          </dl>
        </section>
      </div>
    </dialog>
  );
}

function Group({ title, actions }: { title: string; actions: readonly Action[] }) {
  const rows = shownTogether(actions.filter(({ keys }) => keys.length > 0));
  if (rows.length === 0) return null;
  return (
    <section>
      <h3>{title}</h3>
      <dl>
        {rows.map(({ title: does, keys }) => (
          <div key={does}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

const WAYS = { left: "←", right: "→", up: "↑", down: "↓" };

/** Combine the rows of four directions: "Move left", … become "Move in this direction" with ← → ↑ ↓. */
export function shownTogether(
  actions: readonly Pick<Action, "id" | "title" | "keys">[],
): { title: string; keys: string[] }[] {
  const rows = new Map<string, { title: string; keys: string[] }>();
  for (const { id, title, keys } of actions) {
    const [, name, way] = /^(.*)_(left|right|up|down)$/.exec(id) ?? [];
    if (name === undefined || way === undefined) rows.set(id, { title, keys });
    else {
      const arrow = WAYS[way as keyof typeof WAYS];
      const four = keys.map((key) => key.replace(arrow, Object.values(WAYS).join(" ")));
      rows.set(name, {
        title: title.replace(new RegExp(`\\b${way}\\b`), "in this direction"),
        keys: four,
      });
    }
  }
  return [...rows.values()];
}

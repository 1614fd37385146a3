// The entry point of the widget: renders the builder of a model into an element.
import "@xyflow/react/dist/base.css";
import "./theme.css";
import "./layout.css";
import "./canvas/canvas.css";
import "./panes/panes.css";
import "./studio.css";

import { createRoot } from "react-dom/client";

import { App } from "./App";
import type { Model } from "./bridge";

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const root = createRoot(el);
  root.render(<App model={model} />);
  return () => root.unmount();
}

export default { render };

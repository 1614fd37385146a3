// The code of each widget instance: it loads the shared code and style from the model of a Bundle.
import type { AnyModel, RenderProps } from "@anywidget/types";

interface Traits {
  /** A reference to the bundle's model. */
  _bundle: string;
}
interface Bundle {
  get(name: "name" | "code" | "style"): string;
  [LOADED]?: Promise<Code>;
}
interface Code {
  render(props: RenderProps): unknown;
}

const REFERENCE = "IPY_MODEL_";
/** The property of a bundle with its loaded code, which the loaders of all widgets share. */
const LOADED = Symbol.for("mmnotebook.loaded");

async function codeOf(model: AnyModel<Traits>): Promise<Code> {
  const id = model.get("_bundle").slice(REFERENCE.length);
  const bundle = (await model.widget_manager.get_model(id)) as unknown as Bundle;
  bundle[LOADED] ??= load(bundle);
  return bundle[LOADED];
}

async function load(bundle: Bundle): Promise<Code> {
  addStyle(bundle.get("name"), bundle.get("style"));
  const url = URL.createObjectURL(new Blob([bundle.get("code")], { type: "text/javascript" }));
  try {
    const loaded: { default: Code } = await import(url);
    return loaded.default;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Add a style sheet; it replaces the one of the same name, such as that of another kernel. */
function addStyle(name: string, text: string): void {
  const id = `mmnotebook-${name}`;
  const style = document.getElementById(id) ?? document.createElement("style");
  style.id = id;
  style.textContent = text;
  document.head.append(style);
}

export default {
  async render(props: RenderProps<Traits>) {
    const code = await codeOf(props.model);
    return code.render(props);
  },
};

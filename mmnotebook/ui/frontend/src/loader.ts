// What each widget ships: it takes its code and style from the model of a Bundle, which the page has once.
import type { AnyModel, RenderProps } from "@anywidget/types";

interface Traits {
  /** The bundle's model, as a reference. */
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
/** Each widget has a loader of its own: what one has loaded, the others find at the bundle. */
const LOADED = Symbol.for("mmnotebook.loaded");

async function codeOf(model: AnyModel<Traits>): Promise<Code> {
  const id = model.get("_bundle").slice(REFERENCE.length);
  const bundle = (await model.widget_manager.get_model(id)) as unknown as Bundle;
  bundle[LOADED] ??= load(bundle);
  return bundle[LOADED];
}

async function load(bundle: Bundle): Promise<Code> {
  dress(bundle.get("name"), bundle.get("style"));
  const url = URL.createObjectURL(new Blob([bundle.get("code")], { type: "text/javascript" }));
  try {
    const loaded: { default: Code } = await import(url);
    return loaded.default;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** One style for a name: another kernel's takes the place of the one before. */
function dress(name: string, text: string): void {
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

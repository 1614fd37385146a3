// The instructions on an empty canvas.
import { useBuilder, useNow } from "../bridge";
import { adding } from "../panes/items";

export function Start() {
  const palette = useBuilder((builder) => builder.palette);
  const scene = useBuilder((builder) => builder.scene);
  const now = useNow();
  if (scene.nodes.length > 0) return null;
  const templates = palette.flatMap((section) =>
    section.items.filter((item) => item.template !== undefined),
  );
  return (
    <div className="mm-start">
      <div className="mm-start-card">
        <p className="mm-start-title">The canvas is empty</p>
        <p>
          Drag data, models and steps here
          {templates.length > 0 ? ", or start with a pattern:" : "."}
        </p>
        <div className="mm-start-templates">
          {templates.map((item) => (
            <button
              key={item.template}
              type="button"
              title={item.detail}
              onClick={() => now().send(adding(item, scene, []))}
            >
              {item.title}
            </button>
          ))}
        </div>
        <button
          type="button"
          className="mm-start-example"
          onClick={() => now().send({ op: "example" })}
        >
          Load an example
        </button>
      </div>
    </div>
  );
}

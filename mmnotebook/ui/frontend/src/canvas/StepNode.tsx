// A step on the canvas: its card, its ports, its state in a run.

import type { NodeProps } from "@xyflow/react";
import { Handle, Position } from "@xyflow/react";
import { memo, useContext, useRef } from "react";
import type { NodeStatus } from "../scene";
import type { Output, StepNodeType } from "./flow";
import { handleOf } from "./flow";
import { useKept } from "./keeper";
import { KindIcon, kindClass } from "./kinds";
import { PlugContext } from "./plugContext";
import type { Plug } from "./plugging";
import { grouped, summary } from "./words";

/** The border of a card in px; positions in the card are measured inside the border. */
const BORDER = 1;

function Card({ id, data, selected }: NodeProps<StepNodeType>) {
  const { step, outputs, status, running } = data;
  const card = useRef<HTMLDivElement>(null);
  useKept(id, card);
  const plug = useContext(PlugContext);
  const state = status?.state ?? "idle";
  const classes = ["mm-step", kindClass(step.kind), `mm-is-${state}`, plugClass(plug, step.name)];
  if (selected) classes.push("mm-selected");
  if (step.problems.length > 0) classes.push("mm-wrong");
  return (
    <div ref={card} className={classes.filter(Boolean).join(" ")} data-kind={step.kind}>
      {step.takes && <Handle id="in" type="target" position={Position.Left} />}
      <span className="mm-step-tile">
        <KindIcon kind={step.kind} />
      </span>
      <span className="mm-step-words">
        <span className="mm-step-title" title={step.title}>
          {step.title}
        </span>
        <span className="mm-step-detail" title={step.detail}>
          {step.detail}
        </span>
      </span>
      {outputs.map((output) => (
        <Out key={output.port ?? ""} output={output} labeled={outputs.length > 1 || output.lost} />
      ))}
      {step.problems.length > 0 && <Badge problems={step.problems} />}
      {status !== null && running && <Bar status={status} />}
      {status !== null && <Footer status={status} />}
    </div>
  );
}

/** React Flow handles the position, so a moved card is not rendered again. */
export const StepNode = memo(
  Card,
  (before, after) => before.data === after.data && before.selected === after.selected,
);

function Out({ output, labeled }: { output: Output; labeled: boolean }) {
  const { port, y, lost } = output;
  return (
    <>
      <Handle
        id={handleOf(port)}
        type="source"
        position={Position.Right}
        style={{ top: y - BORDER }}
        className={lost ? "mm-lost" : ""}
        isConnectableStart={!lost}
      />
      {labeled && (
        <span
          className="mm-arm"
          style={{ top: y - BORDER }}
          title={lost ? `no output ${port}` : undefined}
        >
          {port ?? "output"}
        </span>
      )}
    </>
  );
}

function Badge({ problems }: { problems: string[] }) {
  return (
    <span className="mm-badge" aria-hidden="true">
      {problems.length}
      <span className="mm-badge-words">
        {problems.map((problem) => (
          <span key={problem}>{problem}</span>
        ))}
      </span>
    </span>
  );
}

/** The progress of a node; the bar is animated if the total is unknown. */
function Bar({ status }: { status: NodeStatus }) {
  const { state, elementsOut, elementsIn, total } = status;
  if (state !== "running" && state !== "done" && state !== "cached") return null;
  const done = elementsOut ?? elementsIn ?? 0;
  const hasEnded = state !== "running";
  const part = hasEnded ? 1 : total === null || total === 0 ? null : Math.min(1, done / total);
  return (
    <span className={part === null ? "mm-bar mm-wanders" : "mm-bar"}>
      <span style={part === null ? undefined : { transform: `scaleX(${part})` }} />
    </span>
  );
}

function Footer({ status }: { status: NodeStatus }) {
  const text = summary(status);
  return (
    <span className="mm-footer">
      <span className="mm-dot" />
      {text}
      {status.failed > 0 && <span className="mm-failed">{grouped(status.failed)} failed</span>}
    </span>
  );
}

function plugClass(plug: Plug | null, name: string): string {
  if (plug === null) return "";
  if (plug.from.node === name) return "mm-plug-from";
  if (plug.candidate === name) return "mm-plug-candidate";
  return plug.refusals.get(name) === null ? "mm-plug-open" : "mm-plug-refused";
}

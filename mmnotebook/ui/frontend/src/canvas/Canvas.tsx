// The canvas: React Flow shows the nodes and wires of the scene; edits are sent as commands.

import type { EdgeTypes, NodeTypes } from "@xyflow/react";
import {
  Background,
  BackgroundVariant,
  MiniMap,
  ReactFlow,
  ReactFlowProvider,
  SelectionMode,
  useStore,
} from "@xyflow/react";
import { useCallback, useId, useMemo, useRef } from "react";
import { useBuilder, useNow } from "../bridge";
import { showsMinimap } from "../commands";
import { AddMenu } from "./AddMenu";
import { useHandle } from "./canvasHandle";
import type { StepNodeType, WireType } from "./flow";
import { edge, Flow, wireKey } from "./flow";
import { useBoxing, useChanges, useDropping } from "./gestures";
import { KeeperContext } from "./keeper";
import { useKeyPlug } from "./keyPlug";
import { kindClass } from "./kinds";
import { PlugLine, Reason } from "./PlugLine";
import { PlugContext } from "./plugContext";
import { usePlugging } from "./plugGesture";
import { Start } from "./Start";
import { StepNode } from "./StepNode";
import { Wire } from "./Wire";

const NODES: NodeTypes = { step: StepNode };
const EDGES: EdgeTypes = { wire: Wire };
const FAR = 0.4; // the zoom below which small texts are hidden
/** React Flow has the role application, which the element around it has already. */
const withoutRole = (element: HTMLElement | null) => element?.setAttribute("role", "none");
const NO_ATTRIBUTION = { hideAttribution: true };
/** The class of a step in the overview. Like every function that React Flow passes on to its nodes, it
 * stays the same: with a new one, React Flow renders all nodes again, in every frame of a drag. */
const miniature = ({ data }: StepNodeType) => kindClass(data.step.kind);

export function Canvas() {
  return (
    <ReactFlowProvider>
      <Surface />
    </ReactFlowProvider>
  );
}

function Surface() {
  const scene = useBuilder((builder) => builder.scene);
  const status = useBuilder((builder) => builder.status);
  const selection = useBuilder((builder) => builder.selection);
  const wires = useBuilder((builder) => builder.wires);
  const hasMinimap = useBuilder(showsMinimap);
  const now = useNow();
  const area = useRef<HTMLDivElement>(null);
  const help = useId();

  const changes = useChanges();
  const plugging = usePlugging(area);
  const keys = useKeyPlug();
  const { tab, within, keeper, focusEvents, viewEvents } = useHandle(area, keys, plugging.cancel);
  const boxing = useBoxing(area);
  const dropping = useDropping();
  const openPanel = useCallback(
    (_event: unknown, { id }: StepNodeType) => now().ask({ type: "focus_panel", nodes: [id] }),
    [now],
  );

  const flow = useMemo(() => new Flow(), []);
  const chosen = useMemo(() => new Set(selection), [selection]);
  const chosenWires = useMemo(() => new Set(wires.map(wireKey)), [wires]);
  const steps = useMemo(() => flow.stepsOf(scene, status), [flow, scene, status]);
  const nodes = useMemo(
    () => flow.nodesOf(steps, { selection: chosen, tab, moved: changes.moved }),
    [flow, steps, chosen, tab, changes.moved],
  );
  const drawn = useMemo(
    () => flow.edgesOf(scene, status, chosenWires),
    [flow, scene, status, chosenWires],
  );
  const edges = useMemo(() => {
    if (keys.offered === null) return drawn;
    const data = { count: null, select: null, flowing: false, offered: true };
    return [...drawn, { ...edge(keys.offered, false, data), id: "offered" }];
  }, [drawn, keys.offered]);

  const plug = plugging.plug ?? keys.plug;
  const isFar = useStore((state) => state.transform[2] < FAR);
  const classes = ["mm-canvas", plug !== null && "mm-plugging", isFar && "mm-far"];
  return (
    <PlugContext value={plug}>
      <KeeperContext value={keeper}>
        <div
          ref={area}
          className={classes.filter(Boolean).join(" ")}
          role="application"
          aria-label={`Pipeline canvas, ${scene.nodes.length} nodes`}
          aria-describedby={help}
          tabIndex={within ? -1 : 0}
          {...focusEvents}
          {...dropping}
        >
          <p id={help} className="mm-hidden">
            Arrow keys move along the wires, Enter opens a node, C connects, A adds a step, the
            question mark lists all keys.
          </p>
          <ReactFlow<StepNodeType, WireType>
            ref={withoutRole}
            nodes={nodes}
            edges={edges}
            nodeTypes={NODES}
            edgeTypes={EDGES}
            {...changes.events}
            {...plugging.events}
            {...boxing}
            {...viewEvents}
            onNodeDoubleClick={openPanel}
            connectionLineComponent={PlugLine}
            connectionRadius={24}
            reconnectRadius={10}
            connectOnClick={false}
            selectionMode={SelectionMode.Partial}
            nodesFocusable={false}
            edgesFocusable={false}
            disableKeyboardA11y
            deleteKeyCode={null}
            selectionKeyCode={null}
            multiSelectionKeyCode={null}
            panActivationKeyCode={null}
            zoomActivationKeyCode={null}
            zoomOnScroll={false}
            zoomOnDoubleClick={false}
            preventScrolling={false}
            minZoom={0.1}
            maxZoom={2.5}
            nodeDragThreshold={2}
            elevateNodesOnSelect
            onlyRenderVisibleElements
            proOptions={NO_ATTRIBUTION}
          >
            <Background variant={BackgroundVariant.Dots} gap={24} size={1.2} />
            {hasMinimap && (
              <MiniMap<StepNodeType>
                pannable
                ariaLabel="Overview"
                nodeClassName={miniature}
                nodeBorderRadius={16}
              />
            )}
            <Reason />
          </ReactFlow>
          <Start />
          {keys.prompt !== null && (
            <div className="mm-prompt" aria-hidden="true">
              <span>{keys.prompt}</span>
              <kbd>↑ ↓</kbd> select <kbd>Enter</kbd> {keys.verb} <kbd>Esc</kbd> cancels
            </div>
          )}
          {plugging.next !== null && <AddMenu next={plugging.next} close={plugging.endNext} />}
        </div>
      </KeeperContext>
    </PlugContext>
  );
}

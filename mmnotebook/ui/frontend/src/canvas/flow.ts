// The scene as nodes and edges of React Flow. Unchanged parts stay the same objects, so that only
// changed ones are rendered again. Pure.
import type { Edge, Node, NodeHandle } from "@xyflow/react";
import type { Input, NodeStatus, Scene, SceneNode, Select, Status, WireId } from "../scene";
import { SIZE } from "../scene";
import { Sharing } from "../sharing";
import { spoken } from "./words";

export interface Output {
  port: string | null;
  /** The distance of the handle's center from the top of the card. */
  y: number;
  /** Whether a wire starts here although the step no longer has this output. */
  lost: boolean;
}

export interface StepData extends Record<string, unknown> {
  step: SceneNode;
  outputs: Output[];
  status: NodeStatus | null;
  /** Whether a run is in progress. */
  running: boolean;
}

export interface WireData extends Record<string, unknown> {
  count: number | null;
  select: string | null;
  flowing: boolean;
  /** Whether the wire is only a suggestion. */
  offered: boolean;
}

export type StepNodeType = Node<StepData, "step">;
export type WireType = Edge<WireData, "wire">;

export interface Point {
  x: number;
  y: number;
}

export const GRID = 8;
/** The side of a handle. */
export const HANDLE = 12;
// The same values as in mmnotebook/editing/node_positions.py, which leaves room for them.
const ROOM = 3; // the number of outputs that fit on a card of the usual height
const PITCH = 14; // the additional height for each further output
const EDGE = 10; // the space above the first of several outputs and below the last

export const wireKey = (wire: WireId): string => JSON.stringify(wire);
export const wireOf = (key: string): WireId => JSON.parse(key) as WireId;
export const handleOf = (port: string | null): string => (port === null ? "out" : `out:${port}`);
export const portOf = (handle: string | null | undefined): string | null =>
  handle?.startsWith("out:") ? handle.slice(4) : null;

export const wiresOf = (scene: Pick<Scene, "nodes">): WireId[] =>
  scene.nodes.flatMap((node) =>
    node.inputs.map((input): WireId => [input.node, input.port, node.name]),
  );

export function heightOf(outputs: number): number {
  return SIZE.height + Math.max(0, outputs - ROOM) * PITCH;
}

/** Return a node's outputs with their positions, including removed ones that still have wires. */
export function outputsOf(node: SceneNode, used: ReadonlySet<string | null>): Output[] {
  const lost = [...used].filter((port) => !node.outputs.includes(port));
  const all = [...node.outputs, ...lost];
  const height = heightOf(all.length);
  const pitch = all.length === 2 ? 22 : (height - 2 * EDGE) / Math.max(1, all.length - 1);
  const middle = height / 2;
  return all.map((port, place) => ({
    port,
    y: middle + (place - (all.length - 1) / 2) * pitch,
    lost: lost.includes(port),
  }));
}

export function usedPorts(scene: Pick<Scene, "nodes">): Map<string, Set<string | null>> {
  const used = new Map<string, Set<string | null>>();
  for (const [source, port] of wiresOf(scene)) {
    const ports = used.get(source) ?? new Set();
    used.set(source, ports.add(port));
  }
  return used;
}

const NONE: ReadonlySet<string | null> = new Set();

/** Return the node at a point. */
export function nodeAt(scene: Pick<Scene, "nodes">, { x, y }: Point): SceneNode | null {
  const covers = (node: SceneNode) => {
    const height = heightOf(node.outputs.length);
    const margin = HANDLE;
    return (
      x >= node.x - margin &&
      x <= node.x + SIZE.width + margin &&
      y >= node.y &&
      y <= node.y + height
    );
  };
  return scene.nodes.find(covers) ?? null;
}

interface Marks {
  selection: ReadonlySet<string>;
  /** The node that Tab focuses. */
  tab: string | null;
  /** The positions of nodes that are being dragged. */
  moved: ReadonlyMap<string, Point>;
}

/** The input for a node of React Flow. */
interface Card {
  data: StepData;
  position: Point;
  selected: boolean;
  tab: boolean;
}

interface Line {
  wire: WireId;
  selected: boolean;
  data: WireData;
}

/** Converts scenes to nodes and edges of React Flow; reuses the objects of the previous scene. */
export class Flow {
  private readonly steps = new Sharing((data: StepData) => data);
  private readonly nodes = new Sharing(node);
  private readonly edges = new Sharing(({ wire, selected, data }: Line) =>
    edge(wire, selected, data),
  );

  /** Return the data of the cards. A card renders again only if its data changes, not if it is moved. */
  stepsOf(scene: Pick<Scene, "nodes">, status: Status): StepData[] {
    const used = usedPorts(scene);
    const running = status.state === "running" || status.state === "preparing";
    return this.steps.all(
      scene.nodes.map((step) => {
        const outputs = outputsOf(step, used.get(step.name) ?? NONE);
        return [step.name, { step, outputs, status: status.nodes[step.name] ?? null, running }];
      }),
    );
  }

  nodesOf(steps: readonly StepData[], { selection, tab, moved }: Marks): StepNodeType[] {
    return this.nodes.all(
      steps.map((data) => {
        const { name, x, y } = data.step;
        const position = moved.get(name) ?? { x, y };
        return [name, { data, position, selected: selection.has(name), tab: tab === name }];
      }),
    );
  }

  edgesOf(scene: Pick<Scene, "nodes">, status: Status, selected: ReadonlySet<string>): WireType[] {
    const counts = new Map(
      status.wires.map((wire) => [wireKey([wire.source, wire.port, wire.target]), wire.count]),
    );
    const there = new Set(scene.nodes.map((node) => node.name));
    const lines = scene.nodes.flatMap((target) =>
      byOutput(target.inputs.filter((input) => there.has(input.node))).map(
        (inputs): [string, Line] => {
          const [input] = inputs;
          const wire: WireId = [input.node, input.port, target.name];
          const key = wireKey(wire);
          const ends = [status.nodes[input.node]?.state, status.nodes[target.name]?.state];
          const data = {
            count: counts.get(key) ?? null,
            select: selectText(inputs.map((each) => each.select)),
            flowing: status.state === "running" && ends.includes("running"),
            offered: false,
          };
          return [key, { wire, selected: selected.has(key), data }];
        },
      ),
    );
    return this.edges.all(lines);
  }
}

function node({ data, position, selected, tab }: Card): StepNodeType {
  const { step, outputs } = data;
  const height = heightOf(outputs.length);
  return {
    id: step.name,
    type: "step",
    position,
    data,
    selected,
    width: SIZE.width,
    height,
    measured: { width: SIZE.width, height },
    handles: handles(step, outputs, height),
    ariaRole: "group",
    ariaLabel: spoken(step, data.status) + (selected ? ", selected" : ""),
    domAttributes: { tabIndex: tab ? 0 : -1, "aria-roledescription": "step" },
  };
}

/** Return the positions of handles, so that wires can be drawn to nodes that are not rendered. */
function handles(step: SceneNode, outputs: Output[], height: number): NodeHandle[] {
  const half = HANDLE / 2;
  const size = { width: HANDLE, height: HANDLE };
  const input: NodeHandle[] = step.takes
    ? [
        {
          id: "in",
          type: "target",
          position: "left" as never,
          x: -half,
          y: height / 2 - half,
          ...size,
        },
      ]
    : [];
  const out = outputs.map(
    ({ port, y }): NodeHandle => ({
      id: handleOf(port),
      type: "source",
      position: "right" as never,
      x: SIZE.width - half,
      y: y - half,
      ...size,
    }),
  );
  return [...input, ...out];
}

export function edge([source, port, target]: WireId, selected: boolean, data: WireData): WireType {
  const from = port === null ? source : `${source} ${port}`;
  return {
    id: wireKey([source, port, target]),
    type: "wire",
    source,
    target,
    sourceHandle: handleOf(port),
    targetHandle: "in",
    selected,
    data,
    ariaLabel: `wire from ${from} to ${target}`,
    reconnectable: !data.offered,
    selectable: !data.offered,
  };
}

/** Describe the selected fields of the inputs that one wire represents. */
function selectText(selects: readonly Select[]): string | null {
  const texts = selects.map((select) => {
    if (select === null) return "the value";
    if (typeof select === "string" || Array.isArray(select)) return JSON.stringify(select);
    return `without ${select.drop.map((name) => JSON.stringify(name)).join(", ")}`;
  });
  return selects.every((select) => select === null) ? null : texts.join(" · ");
}

/** Group the inputs of a node by output, since a join may have several fields of one output. */
function byOutput(inputs: readonly Input[]): [Input, ...Input[]][] {
  const found = new Map<string, [Input, ...Input[]]>();
  for (const input of inputs) {
    const key = JSON.stringify([input.node, input.port]);
    const others = found.get(key);
    if (others === undefined) found.set(key, [input]);
    else others.push(input);
  }
  return [...found.values()];
}

/** Round a point to the grid. */
export const onGrid = ({ x, y }: Point): [number, number] => [
  Math.round(x / GRID) * GRID,
  Math.round(y / GRID) * GRID,
];

// What a command makes of the scene, shown until Python has answered: the twin of the commands in
// graph/editing/. Both are held to the cases in tests/cases/operations.json.

import { gatherLeft, gatherOf, refusal } from "./connecting";
import type { Command, Gather, Input, Scene, SceneNode, WireId } from "./scene";

/** The scene after a command; the same scene where Python alone knows what comes of it. */
export function applied(scene: Scene, command: Command): Scene {
  switch (command.op) {
    case "move":
      return moved(scene, command.places);
    case "connect":
      return connected(scene, command);
    case "disconnect":
      return withoutWires(scene, command.wires);
    case "remove":
      return withoutNodes(withoutWires(scene, command.wires), command.nodes);
    case "rename":
      return renamed(scene, command.old, command.new);
    case "text":
      return { ...scene, text: command.text };
    default:
      return scene;
  }
}

function moved(scene: Scene, places: { [name: string]: [number, number] }): Scene {
  return changed(scene, (node) => {
    const place = places[node.name];
    return place === undefined ? node : { ...node, x: place[0], y: place[1] };
  });
}

function connected(scene: Scene, command: Command & { op: "connect" }): Scene {
  const { source, port, target, old } = command;
  const into = scene.nodes.find((node) => node.name === target);
  if (into === undefined) return scene;
  const place = old ? into.inputs.findIndex((w) => w.node === old[0] && w.port === old[1]) : -1;
  if (old !== undefined && place < 0) return scene;
  const free = old === undefined ? scene : withoutWires(scene, [[...old, target]]);
  if (refusal(free, source, port, target) !== null) return scene;
  const kept = into.inputs[place] ?? { select: null };
  const wire: Input = { ...kept, node: source, port };
  const inputs = into.inputs.map((each, index) => (index === place ? wire : each));
  if (place < 0) inputs.push(wire);
  const nodes = new Map(scene.nodes.map((node) => [node.name, node]));
  const gather = gatherOf(nodes, into, inputs);
  return changed(scene, (node) => (node === into ? fed(node, inputs, gather) : node));
}

function withoutWires(scene: Scene, wires: readonly WireId[]): Scene {
  const gone = new Set(wires.map((wire) => JSON.stringify(wire)));
  return cut(scene, (wire, node) => gone.has(JSON.stringify([wire.node, wire.port, node.name])));
}

function withoutNodes(scene: Scene, names: readonly string[]): Scene {
  if (names.length === 0) return scene;
  const gone = new Set(names);
  const left = { ...scene, nodes: scene.nodes.filter((node) => !gone.has(node.name)) };
  const groups = scene.groups
    .map((group) => ({ ...group, members: group.members.filter((name) => !gone.has(name)) }))
    .filter((group) => group.members.length > 1);
  return { ...cut(left, (wire) => gone.has(wire.node)), groups };
}

function renamed(scene: Scene, old: string, name: string): Scene {
  const taken = [...scene.nodes, ...scene.groups].some((each) => each.name === name);
  if (taken || !/^[\p{L}_][\p{L}\p{N}_]*$/u.test(name)) return scene;
  const said = (each: string) => (each === old ? name : each);
  const groups = scene.groups.map((group) => ({
    ...group,
    name: said(group.name),
    members: group.members.map(said),
  }));
  const nodes = scene.nodes.map((node) => {
    const isIt = node.name === old;
    const takes = node.inputs.some((wire) => wire.node === old);
    const inputs = takes ? node.inputs.map((w) => ({ ...w, node: said(w.node) })) : node.inputs;
    if (takes) node = fed(node, inputs, node.gather);
    return isIt ? { ...node, name, title: name } : node;
  });
  return { ...scene, nodes, groups };
}

/** Without the wires that are cut. */
function cut(scene: Scene, isCut: (wire: Input, node: SceneNode) => boolean): Scene {
  return changed(scene, (node) => {
    const kept = node.inputs.filter((wire) => !isCut(wire, node));
    return kept.length === node.inputs.length ? node : fed(node, kept, gatherLeft(node, kept));
  });
}

/** A node with these inputs; keys are for joins, and a node's own name is none. */
function fed(node: SceneNode, inputs: readonly Input[], gather: Gather): SceneNode {
  const plain = inputs.map(({ label, ...wire }) =>
    gather === "join" && label != null && label !== wire.node ? { ...wire, label } : wire,
  );
  return { ...node, inputs: plain, gather };
}

/** The nodes that stay as they are stay the same objects: they are not drawn anew. */
function changed(scene: Scene, change: (node: SceneNode) => SceneNode): Scene {
  return { ...scene, nodes: scene.nodes.map(change) };
}

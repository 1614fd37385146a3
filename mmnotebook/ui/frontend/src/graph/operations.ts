// The effect of commands on the scene, shown until Python has handled them: the counterpart of the commands
// in mmnotebook/editing/. Both are tested with the cases in tests/cases/operations.json.

import type { Command, Gather, Input, Scene, SceneNode, WireId } from "../scene";
import { gatherLeft, gatherOf, refusal } from "./connecting";

/** Return the scene after a command; the same scene if only Python can compute the effect. */
export function applied(scene: Scene, command: Command): Scene {
  switch (command.op) {
    case "move":
      return moved(scene, command.places);
    case "connect":
      return connected(scene, command);
    case "disconnect":
      return removed(scene, [], command.wires);
    case "remove":
      return removed(scene, command.nodes, command.wires);
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
  const { source, port, target } = command;
  const old = command.old ?? null;
  const into = scene.nodes.find((node) => node.name === target);
  const was = old && inputOf(scene, old);
  if (into === undefined || (old !== null && !was)) return scene;
  const free = old === null ? scene : withoutWires(scene, [old]);
  if (refusal(free, source, port, target) !== null) return scene;
  const stays = old !== null && old[2] === target;
  const wire: Input = { ...(was ?? { select: null }), node: source, port };
  if (!stays) delete wire.label;
  const inputs = into.inputs.map((each) => (stays && each === was ? wire : each));
  if (!stays) inputs.push(wire);
  const nodes = new Map(scene.nodes.map((node) => [node.name, node]));
  const gather = gatherOf(nodes, into, inputs);
  return changed(stays ? scene : free, (node) =>
    node.name === target ? fed(node, inputs, gather) : node,
  );
}

const inputOf = (scene: Scene, [source, port, target]: WireId): Input | undefined =>
  scene.nodes
    .find((node) => node.name === target)
    ?.inputs.find((wire) => wire.node === source && wire.port === port);

/** Remove nodes and wires; change nothing if one of them does not exist, as Python rejects that command. */
function removed(scene: Scene, names: readonly string[], wires: readonly WireId[]): Scene {
  const there = new Set(scene.nodes.map((node) => node.name));
  const wired = new Set(
    scene.nodes.flatMap((node) =>
      node.inputs.map((wire) => idOf([wire.node, wire.port, node.name])),
    ),
  );
  if (!names.every((name) => there.has(name)) || !wires.every((wire) => wired.has(idOf(wire)))) {
    return scene;
  }
  return withoutNodes(withoutWires(scene, wires), names);
}

function withoutWires(scene: Scene, wires: readonly WireId[]): Scene {
  const gone = new Set(wires.map(idOf));
  return cut(scene, (wire, node) => gone.has(idOf([wire.node, wire.port, node.name])));
}

const idOf = (wire: WireId): string => JSON.stringify(wire);

function withoutNodes(scene: Scene, names: readonly string[]): Scene {
  if (names.length === 0) return scene;
  const gone = new Set(names);
  const left = { ...scene, nodes: scene.nodes.filter((node) => !gone.has(node.name)) };
  const groups = scene.groups
    .map((group) => ({ ...group, members: group.members.filter((name) => !gone.has(name)) }))
    .filter((group) => group.members.length > 0);
  return { ...cut(left, (wire) => gone.has(wire.node)), groups };
}

function renamed(scene: Scene, old: string, name: string): Scene {
  const taken = [...scene.nodes, ...scene.groups].some((each) => each.name === name);
  if (taken || !isName(name) || scene.nodes.some((node) => clashes(node, old, name))) return scene;
  const newName = (each: string) => (each === old ? name : each);
  const groups = scene.groups.map((group) => ({
    ...group,
    name: newName(group.name),
    members: group.members.map(newName),
  }));
  const nodes = changed(scene, (node) => {
    const isFed = node.inputs.some((wire) => wire.node === old);
    const inputs = node.inputs.map((wire) => ({ ...wire, node: newName(wire.node) }));
    const updated = isFed ? fed(node, inputs, node.gather) : node;
    return node.name === old ? { ...updated, name, title: name } : updated;
  });
  return { ...nodes, groups };
}

/** Whether a join would have two inputs with the new name. */
function clashes(node: SceneNode, old: string, name: string): boolean {
  const keyOf = (wire: Input) => wire.label ?? wire.node;
  return (
    node.gather === "join" &&
    node.inputs.some((wire) => wire.node === old && keyOf(wire) === old) &&
    node.inputs.some((wire) => wire.node !== old && keyOf(wire) === name)
  );
}

const KEYWORDS = new Set(
  (
    "False None True and as assert async await break class continue def del elif else except " +
    "finally for from global if import in is lambda nonlocal not or pass raise return try while " +
    "with yield"
  ).split(" "),
);

/** Whether a name is a Python identifier. */
const isName = (name: string): boolean =>
  /^[\p{L}_][\p{L}\p{N}\p{M}_]*$/u.test(name) &&
  name === name.normalize("NFKC") &&
  !KEYWORDS.has(name);

/** Return the scene without the wires for which `isCut` is true. */
function cut(scene: Scene, isCut: (wire: Input, node: SceneNode) => boolean): Scene {
  return changed(scene, (node) => {
    const kept = node.inputs.filter((wire) => !isCut(wire, node));
    return kept.length === node.inputs.length ? node : fed(node, kept, gatherLeft(node, kept));
  });
}

/** Return a node with these inputs; labels are only for joins, and differ from the input's name. */
function fed(node: SceneNode, inputs: readonly Input[], gather: Gather): SceneNode {
  const plain = inputs.map(({ label, ...wire }) =>
    gather === "join" && label != null && label !== wire.node ? { ...wire, label } : wire,
  );
  return { ...node, inputs: plain, gather };
}

/** Change nodes; unchanged nodes stay the same objects, so that they are not rendered again. */
function changed(scene: Scene, change: (node: SceneNode) => SceneNode): Scene {
  return { ...scene, nodes: scene.nodes.map(change) };
}

// Connecting by keyboard: first choose the output if there are several, then the target node.
import { useMemo, useState } from "react";
import type { Builder } from "../bridge";
import { useBuilder, useNow } from "../bridge";
import { targets } from "../commands";
import type { Scene, SceneNode, WireId } from "../scene";
import { wireKey, wiresOf } from "./flow";
import { kindTitle } from "./kinds";
import type { Plug } from "./plugging";
import { plug as plugOf } from "./plugging";

interface Choice {
  source: string;
  /** undefined until an output is chosen. */
  port: string | null | undefined;
  place: number;
}

export interface KeyPlug {
  plug: Plug | null;
  /** The wire that Enter creates; null if it exists, or while an output is being chosen. */
  offered: WireId | null;
  prompt: string | null;
  verb: string;
  isOn: boolean;
  begin(): void;
  next(): void;
  previous(): void;
  accept(): void;
  disconnect(): void;
  leave(): void;
}

interface Option {
  node: SceneNode;
  connected: boolean;
}

/** Return the possible and the existing targets of an output; the nearest to the right first. */
export function optionsOf(scene: Scene, source: string, port: string | null): Option[] {
  const from = scene.nodes.find((node) => node.name === source);
  if (from === undefined) return [];
  const there = new Set(wiresOf(scene).map(wireKey));
  const { refusals } = plugOf(scene, { node: source, port, type: "source" }, null);
  const far = (node: SceneNode) =>
    Math.hypot(node.x - from.x, node.y - from.y) + (node.x <= from.x ? 1e6 : 0);
  return scene.nodes
    .map((node) => ({ node, connected: there.has(wireKey([source, port, node.name])) }))
    .filter(({ node, connected }) => connected || refusals.get(node.name) === null)
    .sort((one, other) => far(one.node) - far(other.node));
}

export function useKeyPlug(): KeyPlug {
  const scene = useBuilder((builder) => builder.scene);
  const now = useNow();
  const [held, setChoice] = useState<Choice | null>(null);
  const from = scene.nodes.find((node) => node.name === held?.source);
  const choice = from === undefined ? null : held;

  const options = useMemo(
    () => (choice?.port === undefined ? [] : optionsOf(scene, choice.source, choice.port)),
    [scene, choice?.source, choice?.port],
  );
  const arms = choice !== null && choice.port === undefined ? (from?.outputs ?? []) : null;
  const count = arms === null ? options.length : arms.length;
  const option = arms === null && choice !== null ? (options[choice.place] ?? null) : null;

  const plug = useMemo(() => {
    if (choice?.port === undefined) return null;
    const from = { node: choice.source, port: choice.port, type: "source" as const };
    return { ...plugOf(scene, from, null), candidate: option?.node.name ?? null };
  }, [scene, choice?.source, choice?.port, option?.node.name]);

  function chosen(source: string, port: string | null): void {
    const found = optionsOf(now().scene, source, port);
    if (found[0] === undefined) {
      now().announce(`there is no node that ${ends(source, port)} can connect to`);
      setChoice(null);
      return;
    }
    setChoice({ source, port, place: 0 });
    announceOption(now(), source, port, found[0]);
  }

  function begin(): void {
    const [name] = targets(now());
    const node = scene.nodes.find((other) => other.name === name);
    if (node === undefined) return;
    if (node.outputs.length === 0) now().notify(`nothing can follow ${node.title}`);
    else if (node.outputs.length === 1) chosen(node.name, node.outputs[0] ?? null);
    else {
      setChoice({ source: node.name, port: undefined, place: 0 });
      now().announce(
        `connect ${node.name}: output ${node.outputs[0]}; Enter chooses, Escape cancels`,
      );
    }
  }

  function step(by: number): void {
    if (choice === null || count === 0) return;
    const place = (choice.place + by + count) % count;
    setChoice({ ...choice, place });
    if (arms !== null) now().announce(`output ${arms[place]}`);
    else if (options[place] && choice.port !== undefined) {
      announceOption(now(), choice.source, choice.port, options[place]);
    }
  }

  function accept(): void {
    if (choice === null) return;
    const { source, port } = choice;
    if (port === undefined) {
      chosen(source, arms?.[choice.place] ?? null);
      return;
    }
    setChoice(null);
    if (option === null || option.connected) return;
    now().send({ op: "connect", source, port, target: option.node.name });
    now().announce(`${ends(source, port)} connected to ${option.node.name}`);
  }

  function disconnect(): void {
    if (choice === null || choice.port === undefined || !option?.connected) return;
    now().send({ op: "disconnect", wires: [[choice.source, choice.port, option.node.name]] });
    now().announce(`${ends(choice.source, choice.port)} disconnected from ${option.node.name}`);
    setChoice(null);
  }

  function leave(): void {
    setChoice(null);
    now().announce("connecting canceled");
  }

  const isNew =
    choice !== null && choice.port !== undefined && option !== null && !option.connected;
  return {
    plug,
    offered: isNew ? [choice.source, choice.port ?? null, option.node.name] : null,
    prompt: choice === null ? null : promptOf(choice, arms, option),
    verb: arms !== null ? "chooses" : option?.connected ? "keeps · Delete disconnects" : "connects",
    isOn: choice !== null,
    begin,
    next: () => step(1),
    previous: () => step(-1),
    accept,
    disconnect,
    leave,
  };
}

const ends = (source: string, port: string | null): string =>
  port === null ? source : `${source} ${port}`;

function announceOption(
  builder: Builder,
  source: string,
  port: string | null,
  option: Option,
): void {
  const { node, connected } = option;
  const name = `${node.name} (${kindTitle(node.kind)})`;
  builder.announce(
    connected
      ? `${ends(source, port)} is connected to ${name}; Delete disconnects, Escape cancels`
      : `connect ${ends(source, port)} to ${name}; Enter connects, Escape cancels`,
  );
  builder.canvas.current?.show(node.name);
}

function promptOf(choice: Choice, arms: (string | null)[] | null, option: Option | null): string {
  if (arms !== null) return `${choice.source}: output ${arms[choice.place]}`;
  const to = option === null ? "…" : option.node.name;
  return `${ends(choice.source, choice.port ?? null)} → ${to}`;
}

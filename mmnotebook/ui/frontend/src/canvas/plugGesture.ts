// Connecting by pointer: a wire is dragged from a port to a port, a card or the empty canvas; or its
// end is dragged to another port.

import type { Connection, Edge, FinalConnectionState, OnConnectStartParams } from "@xyflow/react";
import { useReactFlow, useStoreApi } from "@xyflow/react";
import type { RefObject } from "react";
import { useMemo, useRef, useState } from "react";
import { useNow } from "../bridge";
import type { WireId } from "../scene";
import type { Next } from "./AddMenu";
import type { Point, WireType } from "./flow";
import { nodeAt, portOf, wireOf } from "./flow";
import type { Plug } from "./plugging";
import { allows, commandsFor, plug as plugOf, wireTo } from "./plugging";

const MENU = { width: 264, height: 300 };

const wireFrom = ({ source, sourceHandle, target }: Connection | Edge): WireId => [
  source,
  portOf(sourceHandle),
  target,
];

export function usePlugging(area: RefObject<HTMLDivElement | null>) {
  const now = useNow();
  const { screenToFlowPosition } = useReactFlow();
  const store = useStoreApi();
  const [plug, setPlug] = useState<Plug | null>(null);
  const [next, setNext] = useState<Next | null>(null);
  const current = useRef<Plug | null>(null);
  const old = useRef<WireId | null>(null);

  const events = useMemo(() => {
    function show(made: Plug | null): void {
      current.current = made;
      setPlug(made);
    }

    function make(wire: WireId): void {
      const builder = now();
      const commands = commandsFor(wire, old.current);
      for (const command of commands) builder.send(command);
      if (commands.length > 0) builder.announce(`${wire[0]} connected to ${wire[2]}`);
    }

    /** Handle a wire that is dropped outside of a port: on a card, or on the empty canvas. */
    function letGo(made: Plug, client: Point): void {
      const builder = now();
      const point = screenToFlowPosition(client);
      const over = nodeAt(builder.scene, point);
      if (over?.name === made.from.node) return;
      const reason = over === null ? null : (made.refusals.get(over.name) ?? null);
      const wire = over === null ? null : wireTo(builder.scene, made, over);
      if (reason !== null) builder.notify(reason);
      else if (wire !== null) make(wire);
      else if (over === null && made.old === null && made.from.type === "source") {
        setNext(nextAt(area.current, made, point, client));
      }
    }

    return {
      onConnectStart(_event: unknown, { nodeId, handleId, handleType }: OnConnectStartParams) {
        if (nodeId === null || handleType === null) return;
        const from = { node: nodeId, port: portOf(handleId), type: handleType };
        show(plugOf(now().scene, from, old.current));
      },
      onConnect: (connection: Connection) => {
        if (current.current !== null) make(wireFrom(connection));
      },
      onConnectEnd(event: MouseEvent | TouchEvent, state: FinalConnectionState) {
        const made = current.current;
        show(null);
        const at = "changedTouches" in event ? event.changedTouches[0] : event;
        if (made === null || at === undefined || state.isValid) return;
        letGo(made, { x: at.clientX, y: at.clientY });
      },
      onReconnectStart(_event: unknown, edge: WireType) {
        old.current = wireOf(edge.id);
      },
      onReconnect: (_edge: WireType, connection: Connection) => {
        if (current.current !== null) make(wireFrom(connection));
      },
      onReconnectEnd() {
        old.current = null;
      },
      isValidConnection(connection: Connection | Edge) {
        const made = current.current;
        return made !== null && allows(now().scene, made, wireFrom(connection));
      },
    };
  }, [area, now, screenToFlowPosition]);

  /** Cancel a drag, for Escape; React Flow would only do it at the next move of the pointer. */
  function cancel(): boolean {
    if (current.current === null) return false;
    current.current = null;
    setPlug(null);
    store.getState().cancelConnection();
    return true;
  }
  return { plug, next, endNext: () => setNext(null), cancel, events };
}

/** Return the position of the menu: at the pointer, but inside the canvas. */
function nextAt(area: HTMLElement | null, { from }: Plug, at: Point, client: Point): Next {
  const box = area?.getBoundingClientRect() ?? new DOMRect(0, 0, MENU.width, MENU.height);
  const within = (place: number, room: number) => Math.max(8, Math.min(place, room));
  return {
    after: [from.node, from.port],
    at,
    left: within(client.x - box.left, box.width - MENU.width - 8),
    top: within(client.y - box.top, box.height - MENU.height - 8),
  };
}

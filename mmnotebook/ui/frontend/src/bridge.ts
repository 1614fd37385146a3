// The connection between the widget's traits in Python and the components.
import { dequal } from "dequal/lite";
import { createContext, useContext, useEffect, useMemo } from "react";
import type { StoreApi } from "zustand";
import { createStore, useStore } from "zustand";

import { applied } from "./graph/operations";
import { LateTimer } from "./lateTimer";
import type { Command, Kind, PaletteSection, Scene, Seen, Status, WireId } from "./scene";
import { EMPTY, IDLE, isInProgress, sharedScene, sharedStatus } from "./sharing";

/** The traits of the widget in Python; undefined if its version has no such trait. */
export interface Traits {
  scene?: Partial<Scene>;
  kinds?: Kind[];
  palette?: PaletteSection[];
  status?: Partial<Status>;
  selection?: string[];
  seen?: Seen;
  height?: number;
  busy?: boolean;
}

/** The widget's model, from anywidget. */
export interface Model {
  get<Name extends keyof Traits>(name: Name): Traits[Name];
  set<Name extends keyof Traits>(name: Name, value: Traits[Name]): void;
  save_changes(): void;
  on(event: string, handler: (message: unknown) => void): void;
  off(event: string, handler: (message: unknown) => void): void;
  send(content: unknown): void;
}

export type Level = "info" | "error";
export type FromPython =
  | { type: "notice"; text: string; level: Level }
  | { type: "cell"; text: string }
  /** The form for a model was opened. */
  | { type: "form" };
export type ToPython =
  | { type: "insert"; name: string | null }
  | { type: "focus_panel"; nodes: string[] };

/** The state of this view, which Python does not know. */
export interface View {
  /** The options of the next run. */
  limit: number | null;
  fresh: boolean;
  /** null: shown if there are many nodes. */
  minimap: boolean | null;
  palette: boolean;
  /** Whether the text and the problems are shown below the canvas. */
  text: boolean;
  help: boolean;
}

/** The methods of the canvas. */
export interface CanvasHandle {
  fit(): void;
  zoom(factor: number): void;
  /** Center these nodes. */
  reveal(names: readonly string[]): void;
  /** Keep the current view, even if nodes are added. */
  hold(): void;
  /** Move the view so that all of a node is visible. */
  show(name: string): void;
  /** The center of the view, in canvas units. */
  middle(): [number, number];
  /** Focus a node; by default, the node that had the focus last. */
  focus(name?: string): void;
  /** The node that has the focus. */
  focused(): string | null;
  walk(to: "left" | "right" | "up" | "down", extend: boolean): void;
  nudge(x: number, y: number): void;
  /** Cancel the wire that is being dragged; false if there is none. */
  cancel(): boolean;
  /** Start to connect by keyboard. */
  connect(): void;
  isConnecting(): boolean;
  connecting: Record<"next" | "previous" | "accept" | "disconnect" | "leave", () => void>;
}

export interface Notice {
  text: string;
  level: Level;
  /** Different for each notice, even if the text is the same. */
  number: number;
}

interface State {
  scene: Scene;
  kinds: Kind[];
  palette: PaletteSection[];
  status: Status;
  selection: string[];
  /** The selected wires, in this view only. */
  wires: WireId[];
  height: number;
  busy: boolean;
  /** The number of commands that Python has not handled after some time; else 0. */
  waiting: number;
  view: View;
  /** The latest notice, which is shown as a toast. */
  notice: Notice | null;
  /** Notices up to this number are older than the latest run. */
  outdated: number;
  /** The latest text for screen readers. */
  announcement: Notice | null;
}

export interface Builder extends State {
  send(command: Command): void;
  select(names: readonly string[], wires?: readonly WireId[]): void;
  ask(message: ToPython): void;
  /** Subscribe to messages from Python; returns the function that unsubscribes. */
  onMessage(handler: (message: FromPython) => void): () => void;
  resize(height: number): void;
  adjust(view: Partial<View>): void;
  /** Show a toast, and announce it to screen readers. */
  notify(text: string, level?: Level): void;
  /** Announce a text to screen readers only. */
  announce(text: string): void;
  /** The current state, for handlers that are older than the last rendering. */
  now(): Builder;
  canvas: { current: CanvasHandle | null };
  root: { current: HTMLElement | null };
}

const selectedAfter = (before: string[], { command }: { command: Command }): string[] =>
  command.op === "select" ? command.nodes : before;

const DOCUMENT = ["scene", "selection", "seen"] as const;
const OTHERS = ["kinds", "palette", "height", "busy"] as const;

/** Synchronizes the store of one view of the widget with the model, which all views share. */
export class Bridge {
  readonly store: StoreApi<Builder>;
  readonly id = `view-${Math.random().toString(36).slice(2, 10)}`;
  private readonly model: Model;
  private pending: { number: number; command: Command; at: number }[] = [];
  private readonly timer = new LateTimer(() =>
    this.store.setState({ waiting: this.changes().length }),
  );
  private sent = 0;
  private notices = 0;
  /** The latest scene from Python. */
  private known: Scene;
  /** The latest values of the traits in DOCUMENT. */
  private received: unknown[] = [];

  constructor(model: Model) {
    this.model = model;
    this.known = sharedScene(EMPTY, model.get("scene") ?? {});
    this.store = createStore<Builder>((set, get) => ({
      scene: this.known,
      kinds: model.get("kinds") ?? [],
      palette: model.get("palette") ?? [],
      status: sharedStatus(IDLE, model.get("status") ?? {}),
      selection: model.get("selection") ?? [],
      wires: [],
      height: model.get("height") ?? 440,
      busy: model.get("busy") ?? false,
      waiting: 0,
      view: {
        limit: null,
        fresh: false,
        minimap: null,
        palette: true,
        text: true,
        help: false,
      },
      notice: null,
      outdated: 0,
      announcement: null,
      send: this.send,
      select: this.select,
      ask: (message) => this.model.send(message),
      onMessage: this.onMessage,
      resize: this.resize,
      adjust: (view) => set({ view: { ...get().view, ...view } }),
      notify: this.notify,
      announce: (text) => set({ announcement: this.line(text, "info") }),
      now: get,
      canvas: { current: null },
      root: { current: null },
    }));
  }

  private get builder(): Builder {
    return this.store.getState();
  }

  /** Subscribe to the model; returns the function that unsubscribes. */
  readonly listen = (): (() => void) => {
    const handlers = [
      ...DOCUMENT.map((name) => [`change:${name}`, () => this.receive()] as const),
      ...OTHERS.map((name) => [`change:${name}`, () => this.read(name)] as const),
      ["change:status", () => this.readStatus()] as const,
    ];
    for (const [event, handler] of handlers) this.model.on(event, handler);
    const end = this.onMessage((message) => {
      if (message.type === "notice") this.notify(message.text, message.level);
    });
    return () => {
      end();
      this.timer.start(null);
      for (const [event, handler] of handlers) this.model.off(event, handler);
    };
  };

  private readonly onMessage = (handler: (message: FromPython) => void): (() => void) => {
    const heard = (message: unknown) => handler(message as FromPython);
    this.model.on("msg:custom", heard);
    return () => this.model.off("msg:custom", heard);
  };

  private read(name: (typeof OTHERS)[number]): void {
    const value = this.model.get(name);
    if (!dequal(this.builder[name], value)) this.store.setState({ [name]: value });
  }

  private readStatus(): void {
    const status = sharedStatus(this.builder.status, this.model.get("status") ?? {});
    const begins = isInProgress(status) && !isInProgress(this.builder.status);
    this.store.setState(begins ? { status, outdated: this.notices } : { status });
  }

  /** Show the scene from Python, with the commands applied that Python has not handled yet. */
  private receive(): void {
    const values = DOCUMENT.map((name) => this.model.get(name));
    // The traits change together, but there is an event for each.
    if (values.every((value, place) => value === this.received[place])) return;
    this.received = values;
    const [shown = {}, selected = [], seen = {}] = values as [Scene?, string[]?, Seen?];
    this.pending = this.pending.filter(({ number }) => number > (seen[this.id] ?? 0));
    this.watchPending();
    if (this.builder.waiting > 0) this.store.setState({ waiting: this.changes().length });
    this.known = sharedScene(this.known, shown);
    const scene = this.pending.reduce((so, { command }) => applied(so, command), this.known);
    this.store.setState({ scene: sharedScene(this.builder.scene, scene) });
    const selection = this.pending.reduce(selectedAfter, selected);
    if (dequal(selection, this.builder.selection)) return;
    this.store.setState({ selection, wires: [] });
    // The selection was made by Python or in another view.
    const [only, ...more] = selection;
    if (only !== undefined && more.length === 0) this.builder.canvas.current?.show(only);
  }

  private readonly send = (command: Command): void => {
    this.sent += 1;
    this.pending.push({ number: this.sent, command, at: Date.now() });
    this.watchPending();
    const scene = applied(this.builder.scene, command);
    if (scene !== this.builder.scene)
      this.store.setState({ scene: sharedScene(this.builder.scene, scene) });
    this.model.send({ type: "command", view: this.id, number: this.sent, command });
  };

  /** Sent as a command, since messages keep their order, and traits are delayed by a busy kernel. */
  private readonly select = (names: readonly string[], wires: readonly WireId[] = []): void => {
    if (!dequal(wires, this.builder.wires)) this.store.setState({ wires: [...wires] });
    if (dequal(names, this.builder.selection)) return;
    this.store.setState({ selection: [...names] });
    this.send({ op: "select", nodes: [...names] });
  };

  private readonly resize = (height: number): void => {
    this.store.setState({ height });
    this.model.set("height", height);
    this.model.save_changes();
  };

  /** The commands that Python has not handled, except for selections. */
  private readonly changes = () => this.pending.filter(({ command }) => command.op !== "select");

  private watchPending(): void {
    this.timer.start(this.changes()[0]?.at ?? null);
  }

  private readonly notify = (text: string, level: Level = "info"): void => {
    const line = this.line(text, level);
    this.store.setState({ notice: line, announcement: line });
  };

  private line(text: string, level: Level): Notice {
    this.notices += 1;
    return { text, level, number: this.notices };
  }
}

/** Return the store of one view of a widget's model. */
export function useBridge(model: Model): StoreApi<Builder> {
  const bridge = useMemo(() => new Bridge(model), [model]);
  useEffect(() => bridge.listen(), [bridge]);
  return bridge.store;
}

export const BuilderContext = createContext<StoreApi<Builder> | null>(null);

function useBuilderStore(): StoreApi<Builder> {
  const store = useContext(BuilderContext);
  if (store === null) throw new Error("a component outside of BuilderContext");
  return store;
}

/** Return the builder or a part of it; the component renders again when that part changes. */
export function useBuilder(): Builder;
export function useBuilder<Chosen>(choose: (builder: Builder) => Chosen): Chosen;
export function useBuilder(choose = (builder: Builder): unknown => builder): unknown {
  return useStore(useBuilderStore(), choose);
}

/** Return a function that returns the current builder; the component does not render again. */
export const useNow = (): (() => Builder) => useBuilderStore().getState;

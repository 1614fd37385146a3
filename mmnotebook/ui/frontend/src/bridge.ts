// Between the widget's traits in Python and the components here.
import { dequal } from "dequal/lite";
import { createContext, useContext, useEffect, useMemo } from "react";
import type { StoreApi } from "zustand";
import { createStore, useStore } from "zustand";

import { applied } from "./graph/operations";
import { Patience } from "./patience";
import type { Command, Kind, PaletteSection, Scene, Seen, Status, WireId } from "./scene";
import { EMPTY, goesOn, IDLE, steadyScene, steadyStatus } from "./steady";

/** The traits of the widget in Python; undefined where its version has no such trait. */
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

/** The widget's model, as anywidget gives it. */
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
  | { type: "said"; text: string; level: Level }
  | { type: "cell"; text: string }
  /** The form for a model was opened. */
  | { type: "form" };
export type ToPython =
  | { type: "insert"; name: string | null }
  | { type: "focus_panel"; nodes: string[] };

/** How this view stands; nothing of it is Python's. */
export interface View {
  /** What the next run is given. */
  limit: number | null;
  fresh: boolean;
  /** null: shown when there are many nodes. */
  minimap: boolean | null;
  palette: boolean;
  /** The text and the problems, below the canvas. */
  text: boolean;
  help: boolean;
}

/** What the canvas can be asked to do. */
export interface CanvasHandle {
  fit(): void;
  zoom(factor: number): void;
  /** Bring nodes to the middle. */
  reveal(names: readonly string[]): void;
  /** The view stays as it is, whatever comes in sight of it. */
  hold(): void;
  /** Bring a node into sight that is not wholly seen. */
  show(name: string): void;
  /** The middle of what is seen, in canvas units. */
  middle(): [number, number];
  /** The keyboard's focus onto a node, onto the one that had it last when none is named. */
  focus(name?: string): void;
  /** The node that has the keyboard's focus. */
  focused(): string | null;
  walk(to: "left" | "right" | "up" | "down", extend: boolean): void;
  nudge(x: number, y: number): void;
  /** Give up the wire that is being dragged; false when there is none. */
  cancel(): boolean;
  /** Begin to connect by keyboard. */
  connect(): void;
  isConnecting(): boolean;
  connecting: Record<"next" | "previous" | "accept" | "disconnect" | "leave", () => void>;
}

export interface Told {
  text: string;
  level: Level;
  /** Told anew each time, the same words too. */
  number: number;
}

interface State {
  scene: Scene;
  kinds: Kind[];
  palette: PaletteSection[];
  status: Status;
  selection: string[];
  /** The selected wires: of this view alone. */
  wires: WireId[];
  height: number;
  busy: boolean;
  /** How many commands Python has not answered, once that is taking long; else 0. */
  waiting: number;
  view: View;
  /** The latest line to be shown as a toast. */
  said: Told | null;
  /** What was told up to this number was told before the run that began last. */
  outdated: number;
  /** The latest line for screen readers. */
  told: Told | null;
}

export interface Builder extends State {
  send(command: Command): void;
  select(names: readonly string[], wires?: readonly WireId[]): void;
  ask(message: ToPython): void;
  /** Listen to Python's messages; call what it gives to end that. */
  onMessage(handler: (message: FromPython) => void): () => void;
  resize(height: number): void;
  adjust(view: Partial<View>): void;
  /** A toast, told to screen readers too. */
  say(text: string, level?: Level): void;
  /** A line for screen readers alone. */
  tell(text: string): void;
  /** The state as it is at this moment: for handlers that outlive a rendering. */
  now(): Builder;
  canvas: { current: CanvasHandle | null };
  root: { current: HTMLElement | null };
}

const selectedAfter = (before: string[], { command }: { command: Command }): string[] =>
  command.op === "select" ? command.nodes : before;

const DOCUMENT = ["scene", "selection", "seen"] as const;
const OTHERS = ["kinds", "palette", "height", "busy"] as const;

/** Keeps the store of one view of the widget in step with the model, which all views share. */
export class Bridge {
  readonly store: StoreApi<Builder>;
  readonly id = `view-${Math.random().toString(36).slice(2, 10)}`;
  private readonly model: Model;
  private pending: { number: number; command: Command; at: number }[] = [];
  private readonly patience = new Patience(() =>
    this.store.setState({ waiting: this.changes().length }),
  );
  private sent = 0;
  private words = 0;
  /** The scene as Python has it. */
  private known: Scene;
  /** The values that were shown last. */
  private received: unknown[] = [];

  constructor(model: Model) {
    this.model = model;
    this.known = steadyScene(EMPTY, model.get("scene") ?? {});
    this.store = createStore<Builder>((set, get) => ({
      scene: this.known,
      kinds: model.get("kinds") ?? [],
      palette: model.get("palette") ?? [],
      status: steadyStatus(IDLE, model.get("status") ?? {}),
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
      said: null,
      outdated: 0,
      told: null,
      send: this.send,
      select: this.select,
      ask: (message) => this.model.send(message),
      onMessage: this.onMessage,
      resize: this.resize,
      adjust: (view) => set({ view: { ...get().view, ...view } }),
      say: this.say,
      tell: (text) => set({ told: this.line(text, "info") }),
      now: get,
      canvas: { current: null },
      root: { current: null },
    }));
  }

  private get builder(): Builder {
    return this.store.getState();
  }

  /** Listen to the model; call what it gives to end that. */
  readonly listen = (): (() => void) => {
    const handlers = [
      ...DOCUMENT.map((name) => [`change:${name}`, () => this.receive()] as const),
      ...OTHERS.map((name) => [`change:${name}`, () => this.read(name)] as const),
      ["change:status", () => this.readStatus()] as const,
    ];
    for (const [event, handler] of handlers) this.model.on(event, handler);
    const end = this.onMessage((message) => {
      if (message.type === "said") this.say(message.text, message.level);
    });
    return () => {
      end();
      this.patience.await(null);
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
    const status = steadyStatus(this.builder.status, this.model.get("status") ?? {});
    const begins = goesOn(status) && !goesOn(this.builder.status);
    this.store.setState(begins ? { status, outdated: this.words } : { status });
  }

  /** Show what Python has, and over it what it has not handled yet of what was done here. */
  private receive(): void {
    const values = DOCUMENT.map((name) => this.model.get(name));
    // They come together, and are told of one by one.
    if (values.every((value, place) => value === this.received[place])) return;
    this.received = values;
    const [shown = {}, selected = [], seen = {}] = values as [Scene?, string[]?, Seen?];
    this.pending = this.pending.filter(({ number }) => number > (seen[this.id] ?? 0));
    this.await();
    if (this.builder.waiting > 0) this.store.setState({ waiting: this.changes().length });
    this.known = steadyScene(this.known, shown);
    const scene = this.pending.reduce((so, { command }) => applied(so, command), this.known);
    this.store.setState({ scene: steadyScene(this.builder.scene, scene) });
    const selection = this.pending.reduce(selectedAfter, selected);
    if (dequal(selection, this.builder.selection)) return;
    this.store.setState({ selection, wires: [] });
    // Selected elsewhere: by Python, or in another view.
    const [only, ...more] = selection;
    if (only !== undefined && more.length === 0) this.builder.canvas.current?.show(only);
  }

  private readonly send = (command: Command): void => {
    this.sent += 1;
    this.pending.push({ number: this.sent, command, at: Date.now() });
    this.await();
    const scene = applied(this.builder.scene, command);
    if (scene !== this.builder.scene)
      this.store.setState({ scene: steadyScene(this.builder.scene, scene) });
    this.model.send({ type: "command", view: this.id, number: this.sent, command });
  };

  /** A command like all others: traits wait while the kernel is at work, messages come in order. */
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

  /** What was done here and Python has not handled, but for what was only selected. */
  private readonly changes = () => this.pending.filter(({ command }) => command.op !== "select");

  private await(): void {
    this.patience.await(this.changes()[0]?.at ?? null);
  }

  private readonly say = (text: string, level: Level = "info"): void => {
    const line = this.line(text, level);
    this.store.setState({ said: line, told: line });
  };

  private line(text: string, level: Level): Told {
    this.words += 1;
    return { text, level, number: this.words };
  }
}

/** The store of one view of a widget's model. */
export function useBridge(model: Model): StoreApi<Builder> {
  const bridge = useMemo(() => new Bridge(model), [model]);
  useEffect(() => bridge.listen(), [bridge]);
  return bridge.store;
}

export const BuilderContext = createContext<StoreApi<Builder> | null>(null);

function useBuilderStore(): StoreApi<Builder> {
  const store = useContext(BuilderContext);
  if (store === null) throw new Error("there is no BuilderContext around this");
  return store;
}

/** The builder, or a part of it; the component renders again when that part changes. */
export function useBuilder(): Builder;
export function useBuilder<Chosen>(choose: (builder: Builder) => Chosen): Chosen;
export function useBuilder(choose = (builder: Builder): unknown => builder): unknown {
  return useStore(useBuilderStore(), choose);
}

/** Returns the current builder, for handlers; the component does not render again for it. */
export const useNow = (): (() => Builder) => useBuilderStore().getState;

import type { Command, Scene } from "./scene";

export function applied(scene: Scene, _command: Command): Scene {
  return scene;
}

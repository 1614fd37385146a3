import type { Scene } from "./scene";

export function clipOf(_scene: Scene, _names: readonly string[]): string {
  return "";
}

import type { Scene } from "./scene";

export function refusal(
  _scene: Pick<Scene, "nodes">,
  _source: string,
  _port: string | null,
  _target: string,
): string | null {
  return null;
}

export type Inserted = "inserted" | "copied" | "shown";

export async function insertCell(_root: HTMLElement, _text: string): Promise<Inserted> {
  return "shown";
}

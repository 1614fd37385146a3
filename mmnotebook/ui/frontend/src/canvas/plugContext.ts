import { createContext } from "react";

import type { Plug } from "./plugging";

/** The wire that is being made, for the nodes that it may go to. */
export const PlugContext = createContext<Plug | null>(null);

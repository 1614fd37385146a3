import { createContext } from "react";

import type { Plug } from "./plugging";

/** The wire that is being created, for the nodes that may be its target. */
export const PlugContext = createContext<Plug | null>(null);

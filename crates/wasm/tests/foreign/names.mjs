// Gives the functions of counter.ts the names by which the host knows them.

import { Transform } from "assemblyscript/transform";

const ENTRY_POINTS = "resident:app/contract-entrypoints#";
const NAMES = {
  reallocate: "cabi_realloc",
  instantiate: ENTRY_POINTS + "instantiate",
  executeOperation: ENTRY_POINTS + "execute-operation",
  freeResponse: "cabi_post_" + ENTRY_POINTS + "execute-operation",
  executeMessage: ENTRY_POINTS + "execute-message",
  processStreams: ENTRY_POINTS + "process-streams",
  summarizeEvents: ENTRY_POINTS + "summarize-events",
  finalize: ENTRY_POINTS + "finalize",
};

export default class extends Transform {
  afterCompile(module) {
    for (const [name, exported] of Object.entries(NAMES)) {
      module.removeExport(name);
      module.addFunctionExport("counter/" + name, exported);
    }
  }
}

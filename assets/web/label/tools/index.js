/** The tools, in the order of their buttons. A tool is one file of this folder (`tool.js` says what it holds) and its name here. */

const FILES = ["unit", "prompt", "brush", "eraser", "polygon", "fill", "relabel", "pick", "pan"];

/** @type {readonly import("./tool.js").ToolModule[]} */
export const TOOLS = await Promise.all(FILES.map(async (file) => (await import(`./${file}.js`)).default));

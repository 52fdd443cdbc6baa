/** German: for each text of the pages its own, and for sentences of the server. What is not here is shown in English. */

import data from "./de/data.js";
import explore from "./de/explore.js";
import label from "./de/label.js";
import learn from "./de/learn.js";
import shared from "./de/shared.js";
import shell from "./de/shell.js";

export { default as server } from "./de/server.js";

export const pages = { ...shared, ...shell, ...explore, ...label, ...learn, ...data };

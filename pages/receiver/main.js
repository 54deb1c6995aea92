/**
 * The receiver page's entry: loads the page, and tries again where a part of it did not come.
 */

import { loaded } from "../lib/page/loading.js";

await loaded(() => import("./page.js"));

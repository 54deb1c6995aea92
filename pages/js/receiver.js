/**
 * The receiver page's entry: loads the page, and tries again where a part of it did not come.
 */

import { loaded } from "./loading.js";

await loaded(() => import("./receiver-page.js"));

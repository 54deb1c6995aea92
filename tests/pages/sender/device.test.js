import assert from "node:assert/strict";
import { test } from "node:test";

import { modelIn } from "../../../pages/sender/device.js";

/** @param {string} device */
function android(device) {
  return `Mozilla/5.0 (Linux; Android ${device}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0`;
}

const IPHONE =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15" +
  " (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1";
const FIREFOX = "Mozilla/5.0 (Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0";
const MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15";
const LINUX = "Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0.0.0 Safari/537.36";

/** @param {string} userAgent @param {number} [maxTouchPoints] */
function model(userAgent, maxTouchPoints = 5) {
  return modelIn({ userAgent, maxTouchPoints });
}

test("a phone's model is read from the user agent, if it is there", () => {
  assert.equal(model(android("14; Pixel 8")), "Pixel 8");
  assert.equal(model(android("14; SM-S921B Build/UP1A.231005.007")), "SM-S921B");
  assert.equal(model(IPHONE), "iPhone");
});

test("an iPad says that it is a Mac, but has a touch screen", () => {
  assert.equal(model(MAC), "iPad");
  assert.equal(model(MAC, 0), undefined);
});

test("a user agent without a model gives no name", () => {
  assert.equal(model(android("10; K")), undefined);
  assert.equal(model(FIREFOX), undefined);
  assert.equal(model(LINUX, 0), undefined);
});

// Of Node's types only what the tests use: the rest would change the types of a browser's timers.
/// <reference path="../../node_modules/@types/node/test.d.ts" />
/// <reference path="../../node_modules/@types/node/assert.d.ts" />
/// <reference path="../../node_modules/@types/node/assert/strict.d.ts" />

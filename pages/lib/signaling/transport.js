/** What carries messages between a page and the server: the types that a WebSocket and HTTP have in common. */

/**
 * @typedef {object} Transport
 * It reports nothing after `close` or `drop`.
 * @property {(handlers: TransportHandlers) => void} open
 * @property {(text: string) => void} send
 * @property {() => void} close with a goodbye: the server gives this page's place away
 * @property {() => void} drop without a goodbye
 */

/**
 * @typedef {object} TransportHandlers
 * @property {() => void} opened
 * @property {(text: unknown) => void} message
 * @property {(code: number, reason: string) => void} closed it ended, or could not be opened; nothing follows
 */

export {};

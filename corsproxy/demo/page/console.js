// What the browser prints to its console.  No script can read a console, so the words stand here, as Chromium writes
// them; a test holds them against a real one.

const MISSING = "No 'Access-Control-Allow-Origin' header is present on the requested resource.";
const PREFLIGHT = "Response to preflight request doesn't pass access control check: ";

/** Whether this browser uses these very words. */
export const isChromium = /Chrom(e|ium)\//.test(navigator.userAgent);

/** A fetch whose answer carries no CORS header. */
export const blocked = (url, origin) =>
  `Access to fetch at '${url}' from origin '${origin}' has been blocked by CORS policy: ${MISSING}`;

/** The same, but it was the preflight's answer. */
export const preflightBlocked = (url, origin) =>
  `Access to fetch at '${url}' from origin '${origin}' has been blocked by CORS policy: ${PREFLIGHT}${MISSING}`;

/** An EventSource whose answer carries no CORS header. */
export const eventsBlocked = (url, origin) =>
  `Access to resource at '${url}' from origin '${origin}' has been blocked by CORS policy: ${MISSING}`;

/** A WebSocket handshake that was answered with 403. */
export const socketRefused = (url) =>
  `WebSocket connection to '${url}' failed: Error during WebSocket handshake: Unexpected response code: 403`;

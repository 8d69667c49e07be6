// The ten experiments.  Each is made once for each way: `attempt(way)` makes the requests, where `way` knows the
// addresses, and resolves with what is to be shown:
//   verdict   "read", "blocked", "open" (connected, but so may anyone) or "refused" (rightly)
//   headline  the same in words
//   lines     what the page could read
//   words     what the console shows, an array
//   headers   the response headers that the page could read
//   remark    what there is to say about it

import {blocked, eventsBlocked, preflightBlocked, socketRefused} from './console.js';
import {read, readEvents, readPieces, talk} from './requests.js';

const UNGUARDED =
  'No rule of the browser was broken. Only the server could refuse, by looking at the Origin of the handshake, and this one does not.';
const JSON_BODY = '{"title": "Dracula"}';

export const experiments = [
  {
    id: 'get',
    title: 'A plain GET',
    text: 'The API answers 200 both times. Only the second answer says that this page may read it.',
    sends: ['GET /books'],
    expected: {direct: 'blocked', proxied: 'read'},
    attempt: (way) => plain(way, '/books', {}, 200),
  },
  {
    id: 'post',
    title: 'A POST with JSON',
    text: 'No form could send JSON, so the browser asks first, with OPTIONS. The API has no answer to that; the proxy has.',
    sends: ['POST /books', 'Content-Type: application/json', '', JSON_BODY],
    expected: {direct: 'blocked', proxied: 'read'},
    attempt: (way) =>
      preflighted(
        way,
        '/books',
        {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON_BODY},
        201,
      ),
  },
  {
    id: 'delete',
    title: 'A DELETE',
    text: 'Asked for first as well. Directly, the DELETE itself never leaves the browser.',
    sends: ['DELETE /books/2'],
    expected: {direct: 'blocked', proxied: 'read'},
    attempt: (way) => preflighted(way, '/books/2', {method: 'DELETE'}, 200),
  },
  {
    id: 'header',
    title: 'A custom header',
    text: 'X-Api-Key has to be allowed on the way there, and X-Total-Count exposed on the way back.',
    sends: ['GET /stock', 'X-Api-Key: demo-2009'],
    expected: {direct: 'blocked', proxied: 'read'},
    attempt: (way) => preflighted(way, '/stock', {headers: {'X-Api-Key': 'demo-2009'}}, 200, 'x-total-count'),
  },
  {
    id: 'cookie',
    title: 'A session cookie',
    text: 'A log-in, then “who am I?”. The cookie travels both times, and both log-ins take effect: CORS only decides who may read the answers.',
    sends: ['POST /login', 'user=ada', '', 'GET /me', 'Cookie: bookshop=…'],
    expected: {direct: 'blocked', proxied: 'read'},
    attempt: session,
  },
  {
    id: 'stream',
    title: 'A streamed answer',
    text: 'The API writes six lines, one every 120 ms. The proxy passes each on as it comes.',
    sends: ['GET /export'],
    expected: {direct: 'blocked', proxied: 'read'},
    attempt: stream,
  },
  {
    id: 'events',
    title: 'Server-Sent Events',
    text: 'An EventSource obeys CORS like fetch does. It closes after four events.',
    sends: ['GET /events', 'Accept: text/event-stream'],
    expected: {direct: 'blocked', proxied: 'read'},
    attempt: events,
  },
  {
    id: 'socket',
    title: 'A WebSocket',
    text: 'Browsers do not apply CORS to WebSockets: directly, a page of any origin may connect. The proxy holds them to the same list as everything else.',
    sends: ['GET /chat', 'Upgrade: websocket'],
    expected: {direct: 'open', proxied: 'read'},
    attempt: socket,
  },
  {
    id: 'error',
    title: 'An error that one can read',
    text: 'Directly, a 500 looks like any other blocked request. Through the proxy, the page learns what went wrong.',
    sends: ['GET /report'],
    expected: {direct: 'blocked', proxied: 'read'},
    attempt: (way) => plain(way, '/report', {}, 500),
  },
  {
    id: 'unlisted',
    title: 'A page that is not listed',
    text: 'The same GET from a frame of this server’s other name, 127.0.0.1. That is another origin; it is not on the list, so the proxy grants it nothing.',
    sends: (setup) => ['GET /books', `Origin: ${setup.unlisted}`],
    expected: {direct: 'blocked', proxied: 'refused'},
    attempt: unlisted,
  },
];

async function plain(way, path, options, status) {
  const url = way.url(path);
  return shown(await read(url, options), status, [blocked(url, way.page)]);
}

async function preflighted(way, path, options, status, header) {
  const url = way.url(path);
  return shown(await read(url, options), status, [preflightBlocked(url, way.page)], header);
}

async function session(way) {
  const [login, me] = [way.url('/login'), way.url('/me')];
  const body = new URLSearchParams({user: 'ada'});
  const first = await read(login, {method: 'POST', body, credentials: 'include'});
  const second = await read(me, {credentials: 'include'});
  const outcome = shown(second, 200, [blocked(login, way.page), blocked(me, way.page)]);
  if (first.read) outcome.lines.unshift(first.body);
  return first.read === second.read ? outcome : unexpected('the two answers differ', outcome.lines);
}

async function stream(way, show) {
  const url = way.url('/export');
  const outcome = await readPieces(url, (pieces) => show(timed(pieces)));
  if (!outcome.read) return withheld(outcome, [blocked(url, way.page)]);
  if (outcome.pieces.length < 2) return unexpected('all in one piece', timed(outcome.pieces));
  return {verdict: 'read', headline: answered(outcome), lines: timed(outcome.pieces), headers: outcome.headers};
}

async function events(way, show) {
  const url = way.url('/events');
  const outcome = await readEvents(url, 4, (pieces) => show(timed(pieces)));
  if (!outcome.read) return withheld(outcome, [eventsBlocked(url, way.page)]);
  return {verdict: 'read', headline: `${outcome.pieces.length} events`, lines: timed(outcome.pieces)};
}

async function socket(way) {
  const url = way.socketUrl('/chat');
  const own = await talk(url, 'hello');
  const other = await way.unlisted({kind: 'socket', url, text: 'hello'});
  const lines = [`this page: ${said(own)}`, `127.0.0.1: ${said(other)}`];
  if (!own.read) return unexpected('not connected', lines);
  if (other.read) return {verdict: 'open', headline: 'Connected, and so may anyone', lines, remark: UNGUARDED};
  return {verdict: 'read', headline: 'Connected; the other refused', lines, words: [socketRefused(url)]};
}

async function unlisted(way) {
  const url = way.url('/books');
  const outcome = await way.unlisted({kind: 'fetch', url});
  const words = [blocked(url, way.unlistedOrigin)];
  if (outcome.read) return unexpected('it could read the answer', [outcome.body]);
  if (way.name === 'direct') return withheld(outcome, words);
  return {verdict: 'refused', headline: 'Blocked, as it should be', lines: [outcome.error], words};
}

function shown(outcome, status, words, header) {
  if (!outcome.read) return withheld(outcome, words);
  const value = header && new Headers(outcome.headers).get(header);
  const lines = [...(header ? [`${header}: ${value}`] : []), outcome.body];
  if (outcome.status !== status || value === null) return unexpected(answered(outcome), lines);
  return {verdict: 'read', headline: answered(outcome), lines, headers: outcome.headers};
}

const withheld = (outcome, words) => ({
  verdict: 'blocked',
  headline: 'Blocked by the browser',
  lines: [outcome.error],
  words,
});
const unexpected = (headline, lines) => ({verdict: 'unexpected', headline: `Unexpected: ${headline}`, lines});
const answered = (outcome) => `${outcome.status} ${outcome.statusText}`;
const said = (outcome) => (outcome.read ? `“${outcome.body}”` : outcome.error);
const timed = (pieces) => pieces.map((piece) => `${String(piece.after).padStart(5)} ms  ${piece.text}`);

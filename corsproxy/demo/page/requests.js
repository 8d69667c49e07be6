// What a page can do to reach another origin, and what it gets to see.  Nothing here throws: a request that the browser
// blocks is an outcome like any other.

const PATIENCE = 10_000; // milliseconds, for what would otherwise wait for ever

const refused = (error) => ({read: false, error: `${error.name}: ${error.message}`});

/** A fetch: what the page could read of the answer. */
export async function read(url, options) {
  try {
    const response = await fetch(url, options);
    return {
      read: true,
      status: response.status,
      statusText: response.statusText,
      headers: [...response.headers],
      body: await response.text(),
    };
  } catch (error) {
    return refused(error);
  }
}

/** A fetch whose body is read piece by piece; `arrived` is called with all pieces so far. */
export async function readPieces(url, arrived) {
  const started = performance.now();
  const pieces = [];
  try {
    const response = await fetch(url);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let step = await reader.read(); !step.done; step = await reader.read()) {
      pieces.push({after: Math.round(performance.now() - started), text: step.value.trim()});
      arrived(pieces);
    }
    return {
      read: true,
      status: response.status,
      statusText: response.statusText,
      headers: [...response.headers],
      pieces,
    };
  } catch (error) {
    return refused(error);
  }
}

/** An EventSource, closed after `count` events; `arrived` is called with all events so far. */
export function readEvents(url, count, arrived) {
  return new Promise((resolve) => {
    const started = performance.now();
    const pieces = [];
    const source = new EventSource(url);
    const end = (outcome) => {
      clearTimeout(timer);
      source.close();
      resolve(outcome);
    };
    const timer = setTimeout(() => end({read: false, error: 'no event came'}), PATIENCE);
    source.onerror = () => end({read: false, error: 'an error event, which says nothing more'});
    source.onmessage = (event) => {
      pieces.push({after: Math.round(performance.now() - started), text: event.data});
      arrived(pieces);
      if (pieces.length === count) end({read: true, pieces});
    };
  });
}

/** A WebSocket: says one thing, waits for the answer, and closes. */
export function talk(url, text) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
    let answer = null;
    const timer = setTimeout(() => socket.close(), PATIENCE);
    socket.onopen = () => socket.send(text);
    socket.onmessage = (event) => {
      answer = event.data;
      socket.close();
    };
    socket.onclose = (event) => {
      clearTimeout(timer);
      resolve(answer === null ? {read: false, error: `closed with code ${event.code}`} : {read: true, body: answer});
    };
  });
}

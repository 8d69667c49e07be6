// The other end of frame.js: requests made by a page whose origin the proxy does not list.

let asked = 0;

/** Opens a frame of that origin, out of sight; resolves with a function that lets it make a request. */
export function openUnlisted(origin) {
  const frame = document.createElement('iframe');
  frame.title = 'A page of an origin that is not listed';
  frame.hidden = true;
  return new Promise((resolve) => {
    const waiting = new Map();
    const ask = (request) =>
      new Promise((answered) => {
        asked += 1;
        waiting.set(asked, answered);
        frame.contentWindow.postMessage({...request, id: asked}, origin);
      });
    addEventListener('message', (event) => {
      if (event.origin !== origin || event.source !== frame.contentWindow) return;
      if (event.data.ready) resolve(ask);
      waiting.get(event.data.id)?.(event.data.outcome);
      waiting.delete(event.data.id);
    });
    frame.src = `${origin}/frame.html`;
    document.body.append(frame);
  });
}

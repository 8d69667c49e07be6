// The page of the unlisted origin.  It does what the page around it asks for, and tells what came of it.

import {read, talk} from './requests.js';

const setup = await (await fetch('/setup.json')).json();

addEventListener('message', async ({origin, source, data}) => {
  if (origin !== setup.page) return;
  const outcome = data.kind === 'socket' ? await talk(data.url, data.text) : await read(data.url);
  source.postMessage({id: data.id, outcome}, origin);
});

parent.postMessage({ready: true}, setup.page);

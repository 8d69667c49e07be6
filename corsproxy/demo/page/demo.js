// The page's script: sets the parties up, runs the experiments one after another, and keeps count.

import {nameParties, travel} from './diagram.js';
import {experiments} from './experiments.js';
import {openUnlisted} from './unlisted.js';
import {Row, showConfig} from './view.js';
import {contribution} from './wire.js';

// Which line of the configuration which experiment needs.
const NEEDS = {
  allow_origins: ['get', 'socket', 'unlisted'],
  allow_methods: ['delete'],
  allow_headers: ['post', 'header'],
  expose_headers: ['header'],
  allow_credentials: ['cookie'],
};

const setup = await (await fetch('/setup.json')).json();
const summary = document.getElementById('summary');
const runAll = document.getElementById('run-all');
const visit = Math.random().toString(36).slice(2, 6);
let runs = 0;

nameParties(setup);
const byId = Object.fromEntries(experiments.map((experiment) => [experiment.id, experiment]));
const needed = Object.entries(NEEDS).map(([key, ids]) => [key, ids.map((id) => byId[id])]);
showConfig(document.getElementById('config'), setup.config, Object.fromEntries(needed));
const rows = experiments.map((experiment) => {
  const row = new Row(experiment, setup, () => enqueue(experiment, row));
  document.getElementById('experiments').append(row.item);
  return {experiment, row};
});
const unlisted = await openUnlisted(setup.unlisted);

// One after another, whoever asks: the page reads from top to bottom, and so does the proxy's terminal.
let queue = Promise.resolve();
function enqueue(experiment, row) {
  row.state = 'running';
  queue = queue.then(() => run(experiment, row)).then(count);
  return queue;
}

async function run(experiment, row) {
  const ways = {direct: wayTo('direct', setup.api), proxied: wayTo('proxied', setup.proxy)};
  let right = true;
  for (const [name, way] of Object.entries(ways)) {
    const shown = row.ways[name];
    shown.show({verdict: 'running', headline: 'Asking', lines: []});
    travel(name);
    const outcome = await experiment.attempt(way, (lines) => shown.progress(lines));
    shown.show(name === 'proxied' ? {...outcome, ...(await contribution(way.run))} : outcome);
    right &&= outcome.verdict === experiment.expected[name];
    row.wire.readable = outcome.headers;
  }
  row.wire.runs = {direct: ways.direct.run, proxied: ways.proxied.run};
  row.wire.refresh();
  row.state = right ? 'expected' : 'unexpected';
}

/** The addresses of one attempt.  Its id is part of each, so that what was on the wire can be found again. */
function wayTo(name, base) {
  runs += 1;
  const run = `${visit}${runs}`;
  const url = (path) => `${base}${path}?run=${run}`;
  return {
    name,
    run,
    url,
    socketUrl: (path) => url(path).replace('http:', 'ws:'),
    page: setup.page,
    unlisted,
    unlistedOrigin: setup.unlisted,
  };
}

function count() {
  const states = rows.map(({row}) => row.item.dataset.state);
  const right = states.filter((state) => state === 'expected').length;
  const left = states.filter((state) => state === 'running').length;
  summary.dataset.state = left ? 'running' : right === rows.length ? 'expected' : 'unexpected';
  // A live region is read aloud at each change: while the experiments run, only the eye is served.
  summary.setAttribute('aria-busy', String(left > 0));
  summary.textContent = `${right} of ${rows.length} as expected`;
  runAll.disabled = left > 0;
}

function runEverything() {
  for (const {experiment, row} of rows) enqueue(experiment, row);
  count();
}

runAll.addEventListener('click', runEverything);
runEverything();

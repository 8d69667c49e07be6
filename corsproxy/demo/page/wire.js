// What was on the wire, as the API and the proxy saw it: JavaScript may not read most of it, so the demonstration's
// servers wrote it down.

import {element} from './element.js';

const HEADINGS = {direct: 'Directly', proxied: 'Through corsproxy'};
const PATIENCE = 20; // times 50 milliseconds: the proxy writes an exchange down once it is over

// The header lines that this is about; the others are shown, but step back.
const TELLING = /^(access-control-|allow$|content-type|cookie|origin|set-cookie|upgrade|vary|via|x-)/i;

const records = async (run) => (await fetch(`/wire/${run}`)).json();
const isPreflight = (record) => record.request.startsWith('OPTIONS ');
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** What the proxy did about one attempt: the header lines that it wrote, and what it advises where it refused. */
export async function contribution(run) {
  let exchanges = [];
  for (let left = PATIENCE; left && !exchanges.some((record) => !isPreflight(record)); left -= 1) {
    if (left < PATIENCE) await pause(50);
    exchanges = (await records(run)).filter((record) => record.by === 'proxy');
  }
  const lines = (chosen) => [...new Set(exchanges.filter(chosen).flatMap((record) => record.lines))];
  return {
    preflight: lines(isPreflight),
    added: lines((record) => !isPreflight(record) && record.answer !== 101), // no browser reads them there
    advice: exchanges.map((record) => record.advice).filter(Boolean),
  };
}

/** A details element; `runs` is set to the ids of the latest attempt of each way, `readable` to the readable headers. */
export function wirePanel() {
  const columns = {direct: element('div', {class: 'direct'}), proxied: element('div', {class: 'proxied'})};
  const details = element(
    'details',
    {class: 'wire'},
    element('summary', {}, 'On the wire'),
    element('div', {class: 'columns'}, columns.direct, columns.proxied),
  );
  const panel = {details, runs: null, readable: null, refresh};
  async function refresh() {
    if (!details.open || !panel.runs) return;
    const [direct, proxied] = await Promise.all([records(panel.runs.direct), records(panel.runs.proxied)]);
    fill(columns.direct, HEADINGS.direct, direct.flatMap(directly));
    fill(columns.proxied, HEADINGS.proxied, [...proxied.flatMap(throughProxy), ...readable(panel.readable)]);
  }
  details.addEventListener('toggle', refresh);
  return panel;
}

const fill = (column, heading, blocks) => column.replaceChildren(element('h3', {}, heading), ...blocks);

const directly = (record) => [
  block('browser → API', record.request, record.request_headers),
  block('API → browser', record.answer, record.answer_headers),
];

function throughProxy(record) {
  if (record.by === 'api') {
    return [
      block('corsproxy → API', record.request, record.request_headers),
      block('API → corsproxy', record.answer, record.answer_headers),
    ];
  }
  const added = record.lines.map((line) => line.split(/: (.*)/, 2));
  if (record.vary) added.push(['Vary', record.vary]);
  const title = isPreflight(record) ? 'corsproxy answers the preflight' : 'corsproxy → browser, adding';
  return [block(`${title} (${record.outcome})`, `${record.answer} to ${record.request}`, added)];
}

const readable = (headers) => (headers ? [block('headers that the page may read', '', headers)] : []);

function block(title, first, headers) {
  const lines = headers.map(([name, value]) => element(TELLING.test(name) ? 'b' : 'span', {}, `${name}: ${value}\n`));
  const start = first ? [`${first}\n`] : [];
  return element('figure', {}, element('figcaption', {}, title), element('pre', {}, ...start, ...lines));
}

// The rows of the page.  A row shows what is sent and, for each way, what came of it.

import {isChromium} from './console.js';
import {element} from './element.js';
import {wirePanel} from './wire.js';

const WAYS = {direct: 'Directly', proxied: 'Through corsproxy'};
const SIGNS = {read: '✓', blocked: '✕', open: '!', refused: '✓', unexpected: '?', running: '', waiting: ''};

const VERDICTS = {expected: 'as expected', unexpected: 'not as expected'};

/** One experiment as a list item; `run` is called by its button. */
export class Row {
  constructor(experiment, setup, run) {
    const sends = typeof experiment.sends === 'function' ? experiment.sends(setup) : experiment.sends;
    this.button = element('button', {type: 'button', 'aria-label': `Run again: ${experiment.title}`}, 'Run again');
    this.button.addEventListener('click', run);
    this.ways = {direct: new Outcome('direct'), proxied: new Outcome('proxied')};
    this.verdict = element('span', {class: 'verdict'});
    this.wire = wirePanel();
    this.item = element(
      'li',
      {id: experiment.id, class: 'experiment', 'data-state': 'waiting'},
      element(
        'div',
        {class: 'what'},
        element('h2', {}, experiment.title),
        element('p', {}, experiment.text),
        element('pre', {class: 'sent', role: 'group', 'aria-label': 'What is sent'}, sends.join('\n')),
        element('p', {class: 'again'}, this.button, this.verdict),
      ),
      this.ways.direct.section,
      this.ways.proxied.section,
      this.wire.details,
    );
  }

  set state(state) {
    this.item.dataset.state = state;
    this.button.disabled = state === 'running';
    this.verdict.textContent = VERDICTS[state] ?? '';
  }
}

/** What came of an experiment on one way. */
class Outcome {
  constructor(way) {
    this.headline = element('p', {class: 'headline'});
    this.lines = element('pre', {class: 'lines', role: 'group', 'aria-label': 'What the page could read'});
    this.notes = element('div', {class: 'notes'});
    this.section = element(
      'section',
      {class: `outcome ${way}`},
      element('h3', {}, WAYS[way]),
      this.headline,
      this.lines,
      this.notes,
    );
    this.show({verdict: 'waiting', headline: 'Waiting', lines: []});
  }

  /** The first lines of an outcome that is still to come. */
  progress(lines) {
    this.lines.textContent = lines.join('\n');
    this.lines.hidden = lines.length === 0;
  }

  show({verdict, headline, lines, words = [], preflight = [], added = [], advice = [], remark = ''}) {
    this.section.dataset.verdict = verdict;
    this.headline.replaceChildren(element('span', {class: 'sign', 'aria-hidden': 'true'}, SIGNS[verdict]), headline);
    this.progress(lines.map(pretty));
    this.notes.replaceChildren(
      ...note('console', isChromium ? 'Your console shows' : 'In Chrome, the console shows', words),
      ...note('grant', 'The proxy answered the preflight itself', preflight),
      ...note('grant', 'The proxy added to the answer', added),
      ...(remark ? [element('div', {class: 'remark'}, element('p', {}, remark))] : []),
      ...note('advice', 'How to allow it, as the proxy’s terminal says', advice),
    );
  }
}

const note = (kind, label, sentences) =>
  sentences.length
    ? [element('div', {class: kind}, element('p', {}, label), ...sentences.map((text) => element('samp', {}, text)))]
    : [];

/** As it came, but each item of a JSON array on a line of its own. */
const pretty = (text) => text.trimEnd().replaceAll('}, {', '},\n {');

/** The configuration, its keys set apart, and beside each line the experiments that need it. */
export function showConfig(target, text, needs) {
  for (const line of text.trimEnd().split('\n')) {
    const [, indent, key, rest] = /^([\s-]*)([a-z_]+:)(.*)$/.exec(line);
    const code = element('span', {class: 'code'}, indent, element('b', {}, key), rest);
    const marks = (needs[key.slice(0, -1)] ?? []).map((number, index) =>
      element('a', {href: `#${number.id}`}, `${index ? ', ' : ''}${number.title}`),
    );
    target.append(element('span', {class: 'line'}, code, element('span', {class: 'needs'}, ...marks)));
  }
}

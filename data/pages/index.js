// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The page of live streams: asks the API every two seconds while someone looks, and changes only the rows that changed.

import { formatBitrate, formatCount, formatDuration } from './format.js';
import { codecName } from './media-support.js';
import { bindStreamForm } from './stream-id.js';

const POLL = 2000;
const STATE_WORDS = { live: 'Live', waiting: 'Waiting', interrupted: 'Interrupted', ended: 'Ended' };
const ORDER = ['live', 'interrupted', 'waiting', 'ended'];

const element = (id) => document.getElementById(id);
const rows = new Map();
let timer = 0;
let asking = false;

function make(tag, className, text = '') {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

function buildRow(id) {
  const item = make('li', 'stream');
  const title = make('div', 'title');
  const name = make('a', '', id);
  name.href = `/watch/${encodeURIComponent(id)}`;
  const state = make('span', 'pill');
  title.append(name, state);
  const facts = make('p', 'facts');
  const actions = make('div', 'actions');
  const broadcast = make('a', 'button compact', 'Broadcast');
  broadcast.href = `/broadcast/${encodeURIComponent(id)}`;
  broadcast.setAttribute('aria-label', `Broadcast as ${id}`);
  const watch = make('a', 'button compact', 'Watch');
  watch.href = name.href;
  watch.setAttribute('aria-label', `Watch ${id}`);
  actions.append(broadcast, watch);
  item.append(title, facts, actions);
  return { item, state, facts, broadcast, watch };
}

function trackWords(track) {
  const codec = codecName(track.codec ?? '');
  return track.kind === 'video' && track.width ? `${codec} ${track.width} × ${track.height}` : codec;
}

function factWords(stream) {
  const words = [formatCount(stream.viewers ?? 0, 'viewer')];
  if (stream.state === 'live') {
    if (stream.tracks?.length) words.push(stream.tracks.map(trackWords).join(' + '));
    if (stream.bitrate > 0) words.push(formatBitrate(stream.bitrate));
    const since = Date.parse(stream.publisher?.since ?? '');
    if (since) words.push(`on air for ${formatDuration((Date.now() - since) / 1000)}`);
  }
  return words.join(' · ');
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function show(streams) {
  const list = element('streams');
  streams.sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || a.id.localeCompare(b.id));
  const ids = new Set(streams.map(({ id }) => id));
  for (const [id, row] of rows) {
    if (ids.has(id)) continue;
    row.item.remove();
    rows.delete(id);
  }
  streams.forEach((stream, i) => {
    let row = rows.get(stream.id);
    if (!row) {
      row = buildRow(stream.id);
      rows.set(stream.id, row);
    }
    row.state.dataset.state = stream.state;
    setText(row.state, STATE_WORDS[stream.state] ?? stream.state);
    setText(row.facts, factWords(stream));
    row.broadcast.hidden = stream.state === 'live';
    row.watch.classList.toggle('primary', stream.state === 'live');
    if (list.children[i] !== row.item) list.insertBefore(row.item, list.children[i] ?? null);
  });
  const live = streams.filter(({ state }) => state === 'live').length;
  setText(element('summary'), streams.length ? `${live} live` : '');
  element('empty').hidden = streams.length > 0;
}

async function poll() {
  if (asking) return;
  asking = true;
  clearTimeout(timer);
  const problem = element('problem');
  try {
    const response = await fetch('/api/v1/streams', { cache: 'no-store', signal: AbortSignal.timeout?.(8000) });
    if (!response.ok) throw new Error(`The server answered ${response.status}.`);
    show((await response.json()).streams ?? []);
    problem.hidden = true;
  } catch (error) {
    setText(problem, `The list cannot be read right now. ${error instanceof TypeError ? 'The server does not answer.' : error.message}`);
    problem.hidden = false;
  }
  asking = false;
  if (!document.hidden) timer = setTimeout(poll, POLL);
}

bindStreamForm(element('broadcast-form'), 'broadcast');
bindStreamForm(element('watch-form'), 'watch');
document.addEventListener('visibilitychange', () => {
  if (document.hidden) clearTimeout(timer);
  else poll();
});
poll();

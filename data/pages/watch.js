// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The watch page: the player, and what a person who debugs wants to see of it. Parameters of the address, for tests and
// measurements: latency= (seconds), muted=0|1, autoplay=0|1, details=0|1.

import '../relais-player.js';
import { formatBitrate, formatBytes, formatLatency, formatRanges } from './format.js';
import { codecNames } from './media-support.js';
import { bindCopy, EventLog, FactList } from './panel.js';
import { bindStreamForm, streamIdFromPath, STREAM_ID_RULE } from './stream-id.js';

const SHOW = 250;
const RATE_WINDOW = 4000;
const STATE_WORDS = {
  idle: 'Idle', connecting: 'Connecting', waiting: 'Waiting', starting: 'Starting', live: 'Live', buffering: 'Buffering',
  paused: 'Paused', interrupted: 'Interrupted', ended: 'Ended', reconnecting: 'Reconnecting', unsupported: 'Cannot play',
  error: 'Error',
};

const element = (id) => document.getElementById(id);
const parameters = new URLSearchParams(location.search);

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function makePlayer(id) {
  const player = document.createElement('relais-player');
  player.id = 'player';
  player.className = 'screen';
  player.setAttribute('stream', id);
  player.setAttribute('controls', '');
  if (parameters.get('autoplay') !== '0') player.setAttribute('autoplay', '');
  if (parameters.get('muted') === '1') player.setAttribute('muted', '');
  const latency = Number(parameters.get('latency'));
  if (latency > 0) player.setAttribute('target-latency', String(latency));
  return player;
}

/** Bits a second over the last seconds, from samples of a byte counter. */
function makeRateMeter() {
  const samples = [];
  return (bytes) => {
    const now = performance.now();
    samples.push({ now, bytes });
    while (samples.length > 2 && samples[0].now < now - RATE_WINDOW) samples.shift();
    const [first] = samples;
    return now > first.now ? ((bytes - first.bytes) * 8000) / (now - first.now) : 0;
  };
}

function figures(stats, rate) {
  return {
    Latency: formatLatency(stats.latency),
    Bitrate: formatBitrate(rate),
    Drops: String(stats.drops),
  };
}

function facts(stats) {
  const supported = stats.supported === null ? '–' : stats.supported ? 'this browser plays it' : 'this browser cannot play it';
  return {
    Codecs: stats.mime ? codecNames(stats.mime) : '–',
    'Codec support': supported,
    Size: stats.width ? `${stats.width} × ${stats.height}` : '–',
    Epoch: stats.epoch ? String(stats.epoch) : '–',
    Segments: String(stats.segments),
    Bytes: formatBytes(stats.bytes),
    'Target latency': formatLatency(stats.targetLatency),
    'Arrival jitter': formatLatency(stats.jitter),
    'Playback rate': `${stats.playbackRate.toFixed(3)} ×`,
    Position: `${stats.currentTime.toFixed(2)} s`,
    'Ready state': `${stats.readyState} of 4`,
    Frames: `${stats.frames}, ${stats.droppedFrames} dropped`,
    'First frame after': formatLatency(stats.firstFrameMs / 1000),
    'Skipped by the server': stats.droppedMs ? formatLatency(stats.droppedMs / 1000) : '–',
    'Stalls, gaps, jumps': `${stats.stalls}, ${stats.gaps}, ${stats.jumps}`,
    Reconnects: String(stats.reconnects),
    'Buffer rebuilt': String(stats.rebuilds),
    MIME: stats.mime || '–',
    'Buffered ranges (s)': formatRanges(stats.buffered),
    'First bytes': stats.firstBytes || '–',
  };
}

function watch(id) {
  document.title = `${id} · relais`;
  element('stage').hidden = false;
  element('title').textContent = id;
  // An id holds nothing that HTML would read differently.
  bindCopy(element('copy'), element('embed-code'),
    `<script type="module" src="${new URL('/relais-player.js', location.href)}"></script> <relais-player stream="${id}" autoplay controls></relais-player>`);
  const player = makePlayer(id);
  const log = new EventLog(element('log'), element('log-panel'));
  player.addEventListener('log', ({ detail }) => log.add(detail));
  element('player-place').replaceWith(player);

  const panel = element('debug');
  const wanted = parameters.get('details');
  const open = wanted ? wanted === '1' : matchMedia('(min-width: 960px)').matches;
  panel.open = open;
  element('log-panel').open = open;
  const figureList = new FactList(element('figures'));
  const factList = new FactList(element('facts'), ['MIME', 'Buffered ranges (s)', 'First bytes']);
  const rate = makeRateMeter();
  const show = () => {
    const { state, message } = player;
    element('state').dataset.state = state;
    setText(element('state'), STATE_WORDS[state] ?? state);
    setText(element('message'), state === 'live' ? '' : message);
    log.flush();
    if (!panel.open) return;
    const { stats } = player;
    figureList.show(figures(stats, rate(stats.bytes)));
    factList.show(facts(stats));
  };
  setInterval(show, SHOW);
  player.addEventListener('statechange', show);
  show();
}

const { id, given } = streamIdFromPath(location.pathname, 'watch');
if (id) {
  watch(id);
} else {
  const form = element('ask');
  form.hidden = false;
  if (given) element('ask-why').textContent = `That is not a stream’s name. ${STREAM_ID_RULE}`;
  bindStreamForm(form, 'watch');
  form.querySelector('input').focus();
}

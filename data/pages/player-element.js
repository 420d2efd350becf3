// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The custom element <relais-player>. Attributes:
//
//   stream           the stream's name
//   server           the server's base address; by default the one this module came from
//   autoplay         play without being asked, muted if the browser demands it
//   muted            start without sound
//   controls         show play, mute, volume and full screen
//   target-latency   seconds behind the live edge; by default as low as the arrival of media allows
//   debug            show a few numbers over the picture
//
// Events (they do not bubble; `detail` in braces): statechange {state, previous, message}, epoch {epoch, mime, tracks},
// drop {ms, drops}, stall {reason, position}, error {code, message}, log {time, text}.
// Properties: state, message, latency, targetLatency, stats, mime, tracks, video, log, stream, muted. Methods: play(), pause().

import { formatLatency } from './format.js';
import { PlayerControls } from './player-controls.js';
import { PlayerEngine } from './player-engine.js';
import { Backdrop, buildView, StillPicture } from './player-view.js';

const DEFAULT_SERVER = new URL('..', import.meta.url);
const SHOW_INTERVAL = 500;

const BADGES = {
  live: 'Live', buffering: 'Live', starting: 'Starting', connecting: 'Connecting', waiting: 'Waiting',
  paused: 'Paused', interrupted: 'Interrupted', ended: 'Ended', reconnecting: 'Reconnecting',
  unsupported: 'Cannot play', error: 'Error', idle: '',
};

/** See the head of the file. */
export class RelaisPlayer extends HTMLElement {
  static observedAttributes = ['stream', 'server', 'muted', 'controls', 'target-latency', 'debug'];

  #parts;
  #engine;
  #controls;
  #timer = 0;
  #openQueued = false;
  #ownLabel = false;
  #backdrop;

  constructor() {
    super();
    this.#parts = buildView(this.attachShadow({ mode: 'open' }));
    const { video, still, backdrop } = this.#parts;
    this.#backdrop = new Backdrop(backdrop, video);
    this.#engine = new PlayerEngine(video, new StillPicture(still, video), (type, detail) => this.#on(type, detail));
    this.#controls = new PlayerControls(this, this.#parts, {
      playing: () => this.#engine.wanted,
      play: () => this.play(),
      pause: () => this.pause(),
      soundChosen: () => {
        this.#engine.soundChosen();
        this.#show();
      },
    });
  }

  connectedCallback() {
    if (!this.hasAttribute('tabindex')) this.tabIndex = 0;
    if (!this.hasAttribute('role')) this.setAttribute('role', 'region');
    this.#parts.video.muted = this.hasAttribute('muted');
    this.#timer = setInterval(() => this.#show(), SHOW_INTERVAL);
    document.addEventListener('fullscreenchange', this.#onFullscreen);
    this.#queueOpen();
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
    document.removeEventListener('fullscreenchange', this.#onFullscreen);
    this.#controls.stop();
    this.#engine.close();
  }

  attributeChangedCallback(name, before, after) {
    if (before === after) return;
    switch (name) {
      case 'stream':
      case 'server':
        if (this.isConnected) this.#queueOpen();
        break;
      case 'muted':
        this.#parts.video.muted = after !== null;
        break;
      case 'controls':
        this.#parts.frame.classList.toggle('controls', after !== null);
        break;
      case 'target-latency':
        this.#engine.targetLatency = after === null ? NaN : Number(after);
        break;
      default:
        this.#parts.debug.hidden = after === null;
    }
  }

  /** The video element inside. */
  get video() {
    return this.#parts.video;
  }

  /** One word: see player-state.js. */
  get state() {
    return this.#engine.state;
  }

  /** The state in a sentence. */
  get message() {
    return this.#engine.message;
  }

  /** The measured latency to the live edge in seconds; NaN while nothing plays. */
  get latency() {
    return this.#engine.latency;
  }

  /** The latency aimed at, in seconds. */
  get targetLatency() {
    return this.#engine.targetLatency;
  }

  /** @param {number|null} seconds null for automatic */
  set targetLatency(seconds) {
    if (seconds > 0) this.setAttribute('target-latency', String(seconds));
    else this.removeAttribute('target-latency');
  }

  /** A snapshot of counters and measurements. */
  get stats() {
    return this.#engine.stats;
  }

  /** The stream's MIME type; empty until it is known. */
  get mime() {
    return this.#engine.mime;
  }

  /** The kinds of its tracks, such as `["video", "audio"]`. */
  get tracks() {
    return this.#engine.tracks;
  }

  /** The newest events, `{time, text}`. */
  get log() {
    return this.#engine.log;
  }

  get stream() {
    return this.getAttribute('stream') ?? '';
  }

  set stream(name) {
    this.setAttribute('stream', name);
  }

  get muted() {
    return this.#parts.video.muted;
  }

  set muted(muted) {
    this.#parts.video.muted = muted;
  }

  /** Plays from the live edge. */
  play() {
    this.#engine.play();
    this.#show();
  }

  /** Holds the picture. */
  pause() {
    this.#engine.pause();
    this.#show();
  }

  /** Several attributes set in one go make one connection. */
  #queueOpen() {
    if (this.#openQueued) return;
    this.#openQueued = true;
    queueMicrotask(() => {
      this.#openQueued = false;
      if (!this.isConnected) return;
      let server = DEFAULT_SERVER;
      try {
        if (this.getAttribute('server')) server = new URL(this.getAttribute('server'), document.baseURI);
      } catch {
        this.#on('error', { code: 'server', message: 'The server attribute is not an address.' });
      }
      if (!server.pathname.endsWith('/')) server.pathname += '/';
      const { stream } = this;
      if (!this.hasAttribute('aria-label') || this.#ownLabel) {
        this.#ownLabel = true;
        this.setAttribute('aria-label', stream ? `Live stream ${stream}` : 'Live stream');
      }
      this.#engine.open(stream, server, this.hasAttribute('autoplay'));
      this.#show();
    });
  }

  #on(type, detail) {
    if (type !== 'log') this.#show();
    if (type === 'epoch') this.#backdrop.follow(detail.mime);
    if (type !== 'message') this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #onFullscreen = () => this.#controls.show();

  #show() {
    const engine = this.#engine;
    if (!engine) return;
    const { frame, video, message, badge, unmute, debug } = this.#parts;
    const { state } = engine;
    frame.dataset.state = state;
    frame.dataset.kind = engine.tracks.length && !engine.tracks.includes('video') ? 'audio' : 'video';
    const picture = (video.videoWidth > 0 && video.readyState >= 2) || this.#parts.still.classList.contains('shown');
    frame.toggleAttribute('data-picture', picture && state !== 'unsupported' && state !== 'idle');
    setText(message, engine.message);
    const latency = state === 'live' && !Number.isNaN(engine.latency) ? ` · ${formatLatency(engine.latency)}` : '';
    setText(badge.lastElementChild, `${BADGES[state]}${latency}`);
    unmute.hidden = !(engine.mutedByPolicy && video.muted && engine.wanted);
    this.#controls.show();
    if (!debug.hidden) setText(debug, debugText(engine.stats));
  }
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function debugText(stats) {
  return [
    `latency  ${formatLatency(stats.latency)} (target ${formatLatency(stats.targetLatency)}, jitter ${formatLatency(stats.jitter)})`,
    `rate     ${stats.playbackRate}   frames ${stats.frames} (${stats.droppedFrames} dropped)`,
    `epoch    ${stats.epoch}   segments ${stats.segments}   drops ${stats.drops}`,
    `stalls   ${stats.stalls}   jumps ${stats.jumps}   reconnects ${stats.reconnects}`,
  ].join('\n');
}

// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One broadcast: recordings into a WebSocket to `/publish/{id}`, until the person stops it. When the connection breaks it connects
// again with back-off and starts a fresh recording; when the network does not carry the bitrate it restarts the recording
// at a lower one; when the sources change it starts the next recording on the same connection. It owns the socket and the
// recorders, not the media stream. What goes wrong is said in words through `onChange`.

import { Backoff } from './backoff.js';
import { BitrateGovernor } from './bitrate-governor.js';
import { RecorderChain } from './recorder-chain.js';
import { Ticker } from './ticker.js';

const CONNECT_TIMEOUT = 8000;
const CHECK_INTERVAL = 500;
/** The server sends statistics each second; without any for this long the connection is dead. */
const STATS_SILENCE = 6000;
/** A socket that does not empty within this time after the recorder stopped is given up. */
const DRAIN_LIMIT = 6000;
/** After a break the server may still hold the old connection; being refused is no reason to give up for this long. */
const BUSY_PATIENCE = 60000;
const STABLE_AFTER = 5000;
const CLOSE_LIMIT = 3000;
const RECORDER_FAILURES_ALLOWED = 3;

const CLOSE_WORDS = new Map([
  [1001, 'The server is going away.'],
  [1003, 'The server could not read the recording.'],
  [1006, 'The connection was lost.'],
  [1008, 'The server does not allow it, or someone else broadcasts under this name.'],
  [1009, 'A piece of the recording was too large for the server.'],
  [1011, 'The server had a fault.'],
  [1012, 'The server is restarting.'],
  [1013, 'The server is full.'],
]);

/**
 * @typedef {object} SessionHandlers
 * @property {() => void} onChange `state` or `message` changed
 * @property {(text: string) => void} onLog
 */

/** See the head of the file. `state` is `idle`, `connecting`, `live`, `slow`, `reconnecting`, `stopping` or `failed`. */
export class BroadcastSession {
  #url;
  #handlers;
  #stream = null;
  #options = null;
  #socket = null;
  #ready = false;
  #wasLive = false;
  #brokenAt = 0;
  #readyAt = 0;
  #statsAt = 0;
  #sent = 0;
  #underway = 0;
  #received = 0;
  #carried = NaN;
  #serverError = null;
  #recorderFailures = 0;
  #drainSince = NaN;
  #backoff = new Backoff({ first: 400, most: 10000 });
  #retryTimer = 0;
  #connectTimer = 0;
  #ticker = null;
  #closed = null;
  #chain;
  #governor = new BitrateGovernor(1_000_000);
  #window = [];

  state = 'idle';
  message = '';
  /** Counters of the whole broadcast. */
  counters = { chunks: 0, bytes: 0, reconnects: 0 };
  viewers = NaN;
  lastError = '';

  /**
   * @param {URL} url the WebSocket address
   * @param {SessionHandlers} handlers
   */
  constructor(url, handlers) {
    this.#url = url;
    this.#handlers = handlers;
    this.#chain = new RecorderChain((message) => this.#recorderFailed(message));
  }

  /** Bytes waiting in the socket. */
  get bufferedAmount() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /**
   * Bytes that have not reached the server: what waits in the socket, and what the operating system and the network hold, which only
   * the server's count of what it received shows.
   */
  get waiting() {
    return Math.max(this.bufferedAmount, this.#underway);
  }

  /** The recorder's MIME type. */
  get mimeType() {
    return this.#chain.mimeType || this.#options?.mimeType || '';
  }

  get recorderState() {
    return this.#chain.state;
  }

  get recordings() {
    return this.#chain.recordings;
  }

  /** What the recorder is asked for, bits a second. */
  get targetBitrate() {
    return this.#governor.bitrate;
  }

  /** What is really sent, bits a second over the last seconds; NaN before there is any. */
  get bitrate() {
    const now = performance.now();
    while (this.#window.length && this.#window[0].at < now - 4000) this.#window.shift();
    if (this.#window.length < 2) return this.#window.length ? NaN : 0;
    const bytes = this.#window.slice(1).reduce((sum, { size }) => sum + size, 0);
    return (bytes * 8000) / Math.max(500, now - this.#window[0].at);
  }

  /** Whether a broadcast is going on, connected or not. */
  get active() {
    return this.state !== 'idle' && this.state !== 'failed' && this.state !== 'stopping';
  }

  /**
   * Starts.
   *
   * @param {MediaStream} stream
   * @param {import('./recorder-chain.js').RecordingOptions} options
   */
  start(stream, options) {
    this.#stream = stream;
    this.#options = options;
    this.#governor = new BitrateGovernor(options.bitrate);
    this.counters = { chunks: 0, bytes: 0, reconnects: 0 };
    this.#wasLive = false;
    this.#backoff.reset();
    this.#recorderFailures = 0;
    this.lastError = '';
    this.#ticker = new Ticker(CHECK_INTERVAL, () => this.#check());
    addEventListener('online', this.#onOnline);
    this.#set('connecting', 'Connecting to the server.');
    this.#connect();
  }

  /**
   * Goes on with another stream or other options: the next recording on the same connection.
   *
   * @param {MediaStream} stream
   * @param {import('./recorder-chain.js').RecordingOptions} options
   * @returns {Promise<void>} fulfilled when the old stream is not recorded any more
   */
  async replace(stream, options) {
    this.#stream = stream;
    if (options.bitrate !== this.#options.bitrate) this.#governor.wanted = options.bitrate;
    this.#options = options;
    if (this.#ready && Number.isNaN(this.#drainSince)) await this.#record('the source or its settings changed');
  }

  /** Stops: the last chunk is sent, then the connection closed. */
  async stop() {
    if (this.state === 'idle' || this.state === 'stopping') return;
    const socket = this.#socket;
    const wasReady = this.#ready;
    this.#set('stopping', 'Stopping.');
    this.#quiet();
    await this.#chain.stop();
    if (socket && wasReady && socket.readyState === WebSocket.OPEN) {
      const closed = new Promise((resolve) => {
        this.#closed = resolve;
      });
      socket.close(1000);
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, CLOSE_LIMIT))]);
    }
    this.#dropSocket();
    this.#set('idle', '');
  }

  #set(state, message) {
    if (state === this.state && message === this.message) return;
    if (message && message !== this.message) this.#handlers.onLog(message);
    this.state = state;
    this.message = message;
    this.#handlers.onChange();
  }

  /* The connection. */

  #connect() {
    this.#serverError = null;
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#message(data);
    socket.onclose = (event) => this.#socketClosed(event.code, event.reason);
    this.#connectTimer = setTimeout(() => {
      this.#dropSocket();
      this.#broken('The server does not answer.');
    }, CONNECT_TIMEOUT);
  }

  #message(data) {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (message?.type === 'ready') {
      this.#becameReady();
    } else if (message?.type === 'stats') {
      this.#stats(message);
    } else if (message?.type === 'error') {
      this.#serverError = message;
      this.lastError = message.message ?? message.code ?? '';
      this.#handlers.onLog(`error from the server: ${this.lastError}`);
    }
  }

  /** The server's count of what it received tells how much is underway, and how much the network carries. */
  #stats({ bytes, viewers }) {
    const now = performance.now();
    if (bytes >= 0) {
      const seconds = (now - this.#statsAt) / 1000;
      const rate = this.#statsAt ? ((bytes - this.#received) * 8) / seconds : NaN;
      this.#carried = Number.isNaN(this.#carried) ? rate : this.#carried * 0.5 + rate * 0.5;
      this.#received = bytes;
      this.#underway = Math.max(0, this.#sent - bytes);
    }
    this.#statsAt = now;
    this.viewers = viewers ?? NaN;
  }

  #becameReady() {
    clearTimeout(this.#connectTimer);
    this.#ready = true;
    this.#readyAt = performance.now();
    this.#statsAt = 0;
    this.#sent = 0;
    this.#underway = 0;
    this.#received = 0;
    this.#carried = NaN;
    if (this.#wasLive) this.counters.reconnects += 1;
    this.#wasLive = true;
    this.#record('');
  }

  #socketClosed(code, reason) {
    const said = this.#serverError?.message ?? reason;
    const wasReady = this.#ready;
    this.#dropSocket();
    if (this.#closed) {
      this.#closed();
      this.#closed = null;
      return;
    }
    const words = CLOSE_WORDS.get(code) ?? 'The server ended the broadcast.';
    const message = said ? `${words} ${said}` : words;
    this.lastError = `${message} (code ${code})`;
    const busy = code === 1008 && !wasReady && this.#wasLive && performance.now() - this.#brokenAt < BUSY_PATIENCE;
    const final = [1000, 1003, 1005, 1008].includes(code) && !busy;
    if (final) this.#fail(message);
    else this.#broken(busy ? 'The server still holds the old connection.' : message);
  }

  /** The connection is gone: try again later with a fresh recording. */
  #broken(message) {
    if (!this.active) return;
    const now = performance.now();
    if (this.#readyAt && now - this.#readyAt > STABLE_AFTER) this.#backoff.reset();
    if (this.#readyAt || !this.#brokenAt) this.#brokenAt = now;
    this.#readyAt = 0;
    this.viewers = NaN;
    this.#drainSince = NaN;
    this.#chain.stop();
    const delay = this.#backoff.next();
    this.#retryTimer = setTimeout(() => this.#connect(), delay);
    this.#set('reconnecting', `${message} Trying again in ${(delay / 1000).toFixed(1)} s.`);
  }

  #fail(message) {
    this.#quiet();
    this.#chain.stop();
    this.#dropSocket();
    this.#set('failed', message);
  }

  #quiet() {
    clearTimeout(this.#retryTimer);
    this.#ticker?.stop();
    this.#ticker = null;
    this.viewers = NaN;
    removeEventListener('online', this.#onOnline);
  }

  /** Forgets the socket without waiting for its closing handshake: a dead peer never finishes it. */
  #dropSocket() {
    clearTimeout(this.#connectTimer);
    this.#ready = false;
    this.#underway = 0;
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }

  #onOnline = () => {
    if (this.state !== 'reconnecting' || this.#socket) return;
    clearTimeout(this.#retryTimer);
    this.#connect();
  };

  /* The recordings. */

  async #record(reason) {
    if (reason) this.#handlers.onLog(`new recording: ${reason}`);
    const socket = this.#socket;
    try {
      // What an old recorder still delivers after a reconnection must not get onto the new connection.
      await this.#chain.start(this.#stream, { ...this.#options, bitrate: this.#governor.bitrate }, (chunk) => {
        if (socket === this.#socket) this.#send(chunk);
      });
    } catch (error) {
      if (!this.active) return;
      this.lastError = error.message;
      this.#fail(`The browser cannot record this: ${error.message}`);
      return;
    }
    if (!this.active || socket !== this.#socket) return;
    this.#governor.restarted();
    const lowered = this.#governor.lowered
      ? ` The network is slow: at ${Math.round(this.#governor.bitrate / 1000)} kb/s for now.`
      : '';
    this.#set('live', `You are live.${lowered}`);
  }

  #send(chunk) {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(chunk);
    this.#sent += chunk.size;
    this.counters.chunks += 1;
    this.counters.bytes += chunk.size;
    this.#window.push({ at: performance.now(), size: chunk.size });
  }

  #recorderFailed(message) {
    if (!this.active || !this.#ready) return;
    this.lastError = message;
    this.#recorderFailures += 1;
    if (this.#recorderFailures > RECORDER_FAILURES_ALLOWED) this.#fail(`The recording failed: ${message}`);
    else this.#record(`the recorder failed (${message})`);
  }

  /** Twice a second: is the connection alive, and does it carry the bitrate? */
  #check() {
    if (!this.#ready) return;
    const now = performance.now();
    if (this.#statsAt && now - this.#statsAt > STATS_SILENCE) {
      this.#giveUp('The server has gone silent.');
      return;
    }
    if (!Number.isNaN(this.#drainSince)) {
      if (this.#governor.drained(this.waiting)) {
        this.#drainSince = NaN;
        this.#record(`at ${Math.round(this.#governor.bitrate / 1000)} kb/s`);
      } else if (now - this.#drainSince > DRAIN_LIMIT) {
        this.#giveUp('The network does not carry the broadcast.');
      }
      return;
    }
    const verdict = this.#governor.check(now, this.waiting, this.#carried, this.bitrate);
    if (verdict === 'lower') {
      this.#drainSince = now;
      this.#chain.stop();
      const rate = Math.round(this.#governor.bitrate / 1000);
      this.#set('slow', `The network is too slow: restarting at ${rate} kb/s as soon as what waits has been sent.`);
    } else if (verdict === 'raise') {
      this.#record('the network has room for a higher bitrate');
    }
  }

  #giveUp(message) {
    this.lastError = message;
    this.#dropSocket();
    this.#broken(message);
  }
}

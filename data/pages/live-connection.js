// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One viewer's WebSocket to `/live/{id}`, kept alive: it reconnects with back-off and jitter, notices a
// connection that is open but dead, and can be suspended while nobody looks. It knows messages, not
// media. Silence has two causes: nothing is sent, or the connection is dead. The server's own account of the
// stream tells which: it is asked when data stays away, and now and then while there is no publisher. Everything
// else is driven by events.

import { Backoff } from './backoff.js';

const CONNECT_TIMEOUT = 8000;
const SILENCE_WHILE_LIVE = 5000;
const LONGEST_SILENCE_WHILE_LIVE = 20000;
const PROBE_IDLE = 20000;
const PROBE_LIMIT = 3000;
/** What the server got less than this before the last data here may be on its way, in milliseconds. */
const UNDERWAY = 1000;
const STABLE_AFTER = 3000;
const REFUSED_RETRY = 30000;
const WATCH_INTERVAL = 1000;
/** A watch tick this late means that the machine slept or the tab was frozen. */
const SLEEP_GAP = 4000;

const CLOSE_WORDS = new Map([
  [1001, 'The server is going away.'],
  [1003, 'The server cannot read this stream.'],
  [1006, 'The connection was lost.'],
  [1008, 'The server does not allow this.'],
  [1009, 'A message was too large.'],
  [1011, 'The server had a fault.'],
  [1012, 'The server is restarting.'],
  [1013, 'The server is full. Try again later.'],
]);

/**
 * @param {number} code a WebSocket close code
 * @returns {string} what it means here, in words
 */
export function closeWords(code) {
  return CLOSE_WORDS.get(code) ?? 'The connection was closed.';
}

/**
 * @typedef {object} LiveHandlers
 * @property {() => void} onState `state`, `retryAt` or `problem` changed
 * @property {(message: object) => void} onMessage a text message, parsed
 * @property {(data: ArrayBuffer) => void} onData a binary message
 * @property {(text: string) => void} onLog something worth a line in the event log
 */

/** A viewer's connection. `state` is `closed`, `connecting`, `open`, `retrying` or `suspended`. */
export class LiveConnection {
  #url;
  #apiUrl;
  #hello;
  #handlers;
  #socket = null;
  #state = 'closed';
  #backoff = new Backoff();
  #timer = 0;
  #watchTimer = 0;
  #openedAt = 0;
  #lastMessageAt = 0;
  #lastDataAt = 0;
  #lastWatchAt = 0;
  #lastProbeAt = 0;
  #silenceLimit = SILENCE_WHILE_LIVE;
  #expectData = false;
  #serverError = null;

  /** When the next attempt is made, in `performance.now()` milliseconds; 0 when none is planned. */
  retryAt = 0;
  /** Why the last connection ended, in words; null while all is well. */
  problem = null;
  /** How many times a connection that had worked, or its retry, was opened again. */
  reconnects = 0;
  /** `performance.now()` at the last WebSocket open. */
  openedAt = 0;

  /**
   * @param {{url: URL, apiUrl: URL, hello: object, handlers: LiveHandlers}} options `url` is the
   *   WebSocket's, `apiUrl` the stream's address in the API, `hello` is sent on opening
   */
  constructor({ url, apiUrl, hello, handlers }) {
    this.#url = url;
    this.#apiUrl = apiUrl;
    this.#hello = hello;
    this.#handlers = handlers;
  }

  get state() {
    return this.#state;
  }

  /** Connects and stays connected until `close` or `suspend`. */
  open() {
    if (this.#state === 'connecting' || this.#state === 'open') return;
    this.#listen();
    this.#connect();
  }

  /** Ends it for good: no event comes after this. */
  close() {
    this.#drop();
    this.#unlisten();
    this.#setState('closed', false);
  }

  /** Gives the connection up without trying again until `open`. */
  suspend() {
    if (this.#state === 'closed' || this.#state === 'suspended') return;
    this.#drop();
    this.#unlisten();
    this.problem = null;
    this.#setState('suspended');
  }

  /**
   * Begins again at once with a new connection, which starts at the newest sync point.
   *
   * @param {string} reason for the log
   */
  reconnect(reason) {
    if (this.#state === 'closed' || this.#state === 'suspended') return;
    this.#handlers.onLog(`reconnecting: ${reason}`);
    this.#drop();
    this.#connect();
  }

  /**
   * Tells whether silence is suspicious.
   *
   * @param {boolean} expected true while a publisher is sending
   */
  expectData(expected) {
    this.#expectData = expected;
    this.#lastDataAt = performance.now();
    this.#lastProbeAt = this.#lastDataAt;
  }

  /**
   * Asks the API about the stream.
   *
   * @returns {Promise<object|null>} the stream; null when the server does not say
   */
  async probe() {
    const response = await fetch(this.#apiUrl, {
      cache: 'no-store',
      signal: AbortSignal.timeout?.(PROBE_LIMIT),
    });
    return response.ok ? response.json() : null;
  }

  #setState(state, tell = true) {
    this.#state = state;
    if (tell) this.#handlers.onState();
  }

  #connect() {
    this.retryAt = 0;
    this.#serverError = null;
    let socket;
    try {
      socket = new WebSocket(this.#url);
    } catch (error) {
      this.problem = error.message;
      this.#retry(REFUSED_RETRY);
      return;
    }
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    socket.onopen = () => this.#opened(socket);
    socket.onmessage = (event) => this.#received(event.data);
    socket.onclose = (event) => this.#closed(event);
    this.#timer = setTimeout(() => {
      this.#drop();
      this.problem = 'The server does not answer.';
      this.#retry(this.#backoff.next());
    }, CONNECT_TIMEOUT);
    this.#setState('connecting');
  }

  #opened(socket) {
    clearTimeout(this.#timer);
    const now = performance.now();
    if (this.openedAt) this.reconnects += 1;
    this.openedAt = now;
    this.#openedAt = now;
    this.#lastMessageAt = now;
    this.#lastDataAt = now;
    this.#lastProbeAt = now;
    this.problem = null;
    socket.send(JSON.stringify(this.#hello));
    this.#setState('open');
  }

  #received(data) {
    this.#lastMessageAt = performance.now();
    if (typeof data !== 'string') {
      this.#lastDataAt = this.#lastMessageAt;
      this.#silenceLimit = SILENCE_WHILE_LIVE;
      this.#handlers.onData(data);
      return;
    }
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (message === null || typeof message !== 'object') return;
    if (message.type === 'error') this.#serverError = message;
    this.#handlers.onMessage(message);
  }

  #closed(event) {
    const lasted = performance.now() - this.#openedAt;
    const wasOpen = this.#state === 'open';
    this.#drop();
    if (wasOpen && lasted > STABLE_AFTER) this.#backoff.reset();
    const said = this.#serverError?.message ?? event.reason;
    this.problem = wasOpen || event.code !== 1006 ? closeWords(event.code) : 'Cannot reach the server.';
    if (said) this.problem = `${this.problem} ${said}`;
    this.#handlers.onLog(`connection closed, code ${event.code}: ${this.problem}`);
    const refused = event.code === 1008 || event.code === 1003;
    this.#retry(refused ? REFUSED_RETRY * (0.75 + Math.random() / 2) : this.#backoff.next());
  }

  #retry(delay) {
    this.retryAt = performance.now() + delay;
    this.#timer = setTimeout(() => this.#connect(), delay);
    this.#setState('retrying');
  }

  /** Forgets the socket without waiting for its closing handshake: a dead peer never finishes it. */
  #drop() {
    clearTimeout(this.#timer);
    this.retryAt = 0;
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }

  #listen() {
    if (this.#watchTimer) return;
    this.#lastWatchAt = Date.now();
    this.#watchTimer = setInterval(() => this.#watch(), WATCH_INTERVAL);
    addEventListener('online', this.#onOnline);
  }

  #unlisten() {
    clearInterval(this.#watchTimer);
    this.#watchTimer = 0;
    removeEventListener('online', this.#onOnline);
  }

  #onOnline = () => {
    if (this.#state === 'retrying') this.reconnect('the network is back');
    else if (this.#state === 'open') this.#suspect('the network changed');
  };

  #watch() {
    const wall = Date.now();
    const slept = wall - this.#lastWatchAt > SLEEP_GAP && !document.hidden;
    this.#lastWatchAt = wall;
    if (slept && this.#state === 'retrying') {
      this.reconnect('awake again');
      return;
    }
    if (this.#state !== 'open') return;
    const now = performance.now();
    if (slept) {
      this.#suspect('awake again');
    } else if (this.#expectData && now - Math.max(this.#lastDataAt, this.#lastProbeAt) > this.#silenceLimit) {
      this.#silenceLimit = Math.min(this.#silenceLimit * 2, LONGEST_SILENCE_WHILE_LIVE);
      this.#lastProbeAt = now;
      this.#doubt('no data for too long');
    } else if (!this.#expectData && now - Math.max(this.#lastMessageAt, this.#lastProbeAt) > PROBE_IDLE) {
      this.#lastProbeAt = now + Math.random() * PROBE_IDLE;
      this.#doubt('the connection had gone silent');
    }
  }

  /** Gives an open connection two seconds to show that it lives. */
  #suspect(reason) {
    const socket = this.#socket;
    const since = this.#lastMessageAt;
    setTimeout(() => {
      if (socket === this.#socket && since === this.#lastMessageAt) this.reconnect(reason);
    }, 2000);
  }

  /** Reconnects unless the server answers, and knows nothing of the stream that would have come over a living connection. */
  async #doubt(reason) {
    const socket = this.#socket;
    const messageAt = this.#lastMessageAt;
    let lost = true;
    try {
      const stream = await this.probe();
      const live = stream?.state === 'live';
      const withheld = () => performance.now() - stream.ring.newest_age_ms > this.#lastDataAt + UNDERWAY;
      lost = this.#expectData ? !live || (stream.ring.newest_age_ms >= 0 && withheld()) : live;
    } catch {
      // It is not heard: lost.
    }
    const heard = messageAt !== this.#lastMessageAt;
    if (lost && !heard && socket === this.#socket && this.#state === 'open') this.reconnect(reason);
  }
}

// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The player without its looks: joins a connection, a media buffer and the live-edge control into one machine
// that plays a stream in a given video element and survives what happens to either end. The element
// (player-element.js) gives it a video and a place for a still picture, and shows its state.

import { EpochTracker } from './epoch-tracker.js';
import { LiveConnection } from './live-connection.js';
import { LiveEdge } from './live-edge.js';
import { MediaBuffer } from './media-buffer.js';
import { canPlay, codecNames, explainUnsupported, playableTypes } from './media-support.js';
import { PlayIntent } from './play-intent.js';
import { describeState } from './player-state.js';
import { playbackStats, streamStats } from './player-stats.js';
import { hexDump, peekCluster } from './webm-peek.js';

const TICK = 100;
const REFRESH = 250;
const SUSPEND_AFTER_PAUSE = 15000;
const PROBE_INTERVAL = 5000;
const FAILURE_WINDOW = 30000;
const FAILURES_ALLOWED = 3;
const FAILURE_PAUSE = 10000;
const SHOW_STALL_AFTER = 400;
const LOG_LIMIT = 300;
/** Media that arrives this long, in seconds, without moving the edge means that the buffer is stuck. */
const EDGE_STUCK = 6;

/** See the head of the file. */
export class PlayerEngine {
  #video;
  #emit;
  #still;
  #buffer;
  #edge;
  #intent;
  #connection = null;
  #stream = '';
  #timer = 0;
  #refreshedAt = 0;
  #probeTimer = 0;
  #suspendTimer = 0;
  #failureTimer = 0;
  #stallTimer = 0;

  #current = new EpochTracker();
  #pendingInit = null;
  #forceFresh = false;
  #edgeMovedAt = 0;

  #facts = {
    everConnected: false, source: 'unknown', picture: false, stalled: false,
    unsupported: null, failure: null, waitsForKeyframe: false,
  };
  #described = { state: 'idle', message: '' };
  #failures = [];
  #counters = { segments: 0, bytes: 0, drops: 0, droppedMs: 0, rebuilds: 0 };
  #firstBytes = '';
  #joinFrom = NaN;
  #joinMs = NaN;

  /** The newest events, `{time, text}`; bounded. */
  log = [];

  /**
   * @param {HTMLVideoElement} video
   * @param {{show: () => void, hide: () => void}} still keeps the last picture on screen while the video has none
   * @param {(type: string, detail: object) => void} emit `statechange`, `message`, `epoch`, `drop`, `stall`, `error`, `log`
   */
  constructor(video, still, emit) {
    this.#video = video;
    this.#still = still;
    this.#emit = emit;
    this.#buffer = new MediaBuffer(video, {
      onAppended: (before, after) => this.#appended(before, after),
      onError: (message) => this.#mediaFailed(message),
      onLog: (text) => this.note(text),
    });
    this.#edge = new LiveEdge(video, this.#buffer, {
      onStall: (reason, position) => this.#stalled(reason, position),
      onResume: () => this.#resumed(),
      onHang: () => this.#mediaFailed('The decoder stands still.'),
      onLog: (text) => this.note(text),
    });
    this.#intent = new PlayIntent(video, {
      hasMedia: () => this.#buffer.attached,
      hasSound: () => this.tracks.includes('audio'),
      onPause: () => this.pause(),
      onPlay: () => this.play(),
      onReturn: () => this.#edge.catchUp(),
      onLog: (text) => this.note(text),
    });
    video.addEventListener('waiting', () => this.#edge.waiting());
    video.addEventListener('playing', () => this.#playing());
    video.addEventListener('error', () => this.#videoFailed());
  }

  get state() {
    return this.#described.state;
  }

  get message() {
    return this.#described.message;
  }

  get mime() {
    return this.#current.mime;
  }

  get tracks() {
    return this.#current.tracks;
  }

  get latency() {
    return this.#edge.latency;
  }

  get targetLatency() {
    return this.#edge.target;
  }

  /** @param {number} seconds NaN for automatic */
  set targetLatency(seconds) {
    this.#edge.target = seconds;
  }

  /** Whether the person wants it to play. */
  get wanted() {
    return this.#intent.wanted;
  }

  /** Whether the sound is off because the browser wants it so. */
  get mutedByPolicy() {
    return this.#intent.mutedByPolicy;
  }

  /** The person has decided about the sound. */
  soundChosen() {
    this.#intent.mutedByPolicy = false;
  }

  /** A snapshot of everything a person who debugs wants to know. */
  get stats() {
    return {
      state: this.state,
      message: this.message,
      stream: this.#stream,
      connection: this.#connection?.state ?? 'closed',
      reconnects: this.#connection?.reconnects ?? 0,
      firstBytes: this.#firstBytes,
      firstFrameMs: this.#joinMs,
      ...this.#counters,
      ...streamStats(this.#current),
      ...playbackStats(this.#video, this.#buffer, this.#edge),
    };
  }

  /**
   * Chooses the stream. Connects when it is to play.
   *
   * @param {string} stream its name
   * @param {URL} server the server's base address
   * @param {boolean} play
   */
  open(stream, server, play) {
    this.close();
    this.#stream = stream;
    if (!stream) {
      this.#refresh();
      return;
    }
    const url = new URL(`live/${encodeURIComponent(stream)}`, server);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    this.#connection = new LiveConnection({
      url,
      apiUrl: new URL(`api/v1/streams/${encodeURIComponent(stream)}`, server),
      hello: { type: 'hello', accept: playableTypes() },
      handlers: {
        onState: () => this.#connectionChanged(),
        onMessage: (message) => this.#message(message),
        onData: (data) => this.#data(data),
        onLog: (text) => this.note(text),
      },
    });
    this.#timer = setInterval(() => this.#onTick(), TICK);
    this.#intent.listen();
    if (play) this.play();
    this.#refresh();
  }

  /** Lets go of everything. */
  close() {
    clearInterval(this.#timer);
    clearTimeout(this.#probeTimer);
    clearTimeout(this.#suspendTimer);
    clearTimeout(this.#failureTimer);
    clearTimeout(this.#stallTimer);
    this.#intent.unlisten();
    this.#connection?.close();
    this.#connection = null;
    this.#stream = '';
    this.#setWanted(false);
    this.#buffer.detach();
    this.#still.hide();
    this.#current.reset();
    Object.assign(this.#facts, {
      everConnected: false, source: 'unknown', picture: false, stalled: false, unsupported: null,
      failure: null, waitsForKeyframe: false,
    });
    this.#edge.begin();
    this.#refresh();
  }

  /** Plays from the live edge. */
  play() {
    if (!this.#connection) return;
    clearTimeout(this.#suspendTimer);
    this.#setWanted(true);
    const { state } = this.#connection;
    if (state === 'open') {
      this.#edge.catchUp();
    } else if (!this.#facts.unsupported && !this.#facts.failure) {
      if (state === 'suspended') this.#edge.begin();
      this.#connection.open();
    }
    this.#intent.tryPlay();
    this.#refresh();
  }

  /** Holds the picture. After a while the connection is given up too, so that nothing is sent for nobody. */
  pause() {
    this.#setWanted(false);
    this.#video.pause();
    clearTimeout(this.#suspendTimer);
    this.#suspendTimer = setTimeout(() => {
      if (this.wanted) return;
      this.note('paused for long: disconnected');
      this.#connection?.suspend();
    }, SUSPEND_AFTER_PAUSE);
    this.#refresh();
  }

  /**
   * Adds a line to the event log.
   *
   * @param {string} text
   */
  note(text) {
    const entry = { time: Date.now(), text };
    this.log.push(entry);
    if (this.log.length > LOG_LIMIT) this.log.shift();
    this.#emit('log', entry);
  }

  #setWanted(wanted) {
    this.#intent.wanted = wanted;
    this.#edge.active = wanted;
  }

  /* Messages. */

  #connectionChanged() {
    const { state } = this.#connection;
    if (state === 'open') {
      this.note(this.#facts.everConnected ? 'connected again' : 'connected');
      this.#facts.everConnected = true;
      this.#joinFrom = performance.now();
      this.#pendingInit = null;
    } else {
      this.#edge.expecting = false;
    }
    this.#refresh();
  }

  #message(message) {
    switch (message.type) {
      case 'init':
        this.#pendingInit = message;
        return;
      case 'waiting':
        this.#sourceIs(message.reason === 'keyframe' ? 'live' : 'waiting');
        this.#facts.waitsForKeyframe = message.reason === 'keyframe';
        break;
      case 'interrupted':
      case 'ended':
        this.#sourceIs(message.type);
        break;
      case 'drop':
        this.#counters.drops += 1;
        this.#counters.droppedMs += message.ms || 0;
        this.note(`the server skipped ${message.ms} ms: this viewer was too slow`);
        this.#emit('drop', { ms: message.ms, drops: this.#counters.drops });
        break;
      case 'error':
        this.note(`error from the server: ${message.message ?? message.code}`);
        this.#emit('error', { code: message.code ?? 'server', message: message.message ?? '' });
        break;
      default:
        return;
    }
    this.#refresh();
  }

  #sourceIs(source) {
    if (source !== this.#facts.source) this.note(`the stream is ${source}`);
    if (source !== 'live') this.#joinFrom = NaN;
    this.#facts.source = source;
    this.#facts.waitsForKeyframe = false;
    this.#edge.expecting = source === 'live';
    this.#connection.expectData(source === 'live');
  }

  #data(data) {
    if (this.#pendingInit) {
      this.#begin(this.#pendingInit, data);
      this.#pendingInit = null;
      return;
    }
    this.#counters.segments += 1;
    this.#counters.bytes += data.byteLength;
    const cluster = peekCluster(data);
    const time = cluster ? cluster.time * this.#current.tick : NaN;
    if (this.#current.awaitsUnit) this.#firstUnit(time);
    this.#buffer.append(data, cluster && (cluster.keyframe || !this.#current.hasVideo) ? time : NaN);
    if (this.#buffer.ready && performance.now() - this.#edgeMovedAt > EDGE_STUCK * 1000) {
      this.#edgeMovedAt = performance.now();
      this.#mediaFailed('Media arrives but cannot be played.');
    }
  }

  /** Notices a timeline that went back, as after a restart of the server, and begins anew for it. */
  #firstUnit(time) {
    this.#facts.waitsForKeyframe = false;
    if (!this.#current.firstUnit(time, this.#buffer.start, this.#buffer.edge)) {
      if (time < this.#buffer.edge && this.#current.hasVideo) this.#edge.overlapped();
      return;
    }
    this.note('the stream’s time went back: beginning anew');
    this.#rebuild();
  }

  /** An initialization segment: it goes on in the buffer there is, or begins a new one. */
  #begin(message, data) {
    this.#facts.unsupported = null;
    this.#sourceIs('live');
    this.#firstBytes = hexDump(data);
    this.#edgeMovedAt = performance.now();
    if (!canPlay(message.mime)) {
      this.#announce(message);
      this.#cannotPlay();
      return;
    }
    const how = this.#current.begin(message, data);
    const inPlace = how !== 'fresh' && !this.#forceFresh && this.#buffer.canContinue(message.mime, message.tracks);
    this.#forceFresh = false;
    this.#announce(message);
    this.#edge.hasSound = this.tracks.includes('audio');
    if (inPlace) {
      this.#buffer.beginEpoch(message.mime, message.tracks);
      this.#buffer.appendInit(data);
      this.#edge.rejoin();
      if (this.#facts.picture) this.#joinFrom = NaN;
      this.#watchFirstFrame();
    } else {
      this.#rebuild();
    }
    this.#refresh();
  }

  #announce(message) {
    if (!this.#current.announce(message)) return;
    const { epoch, mime, tracks } = this.#current;
    this.note(`epoch ${epoch}: ${codecNames(mime)}, init segment of ${message.bytes ?? '?'} bytes`);
    this.#emit('epoch', { epoch, mime, tracks });
  }

  /** A new MediaSource for the present epoch, with the last picture standing meanwhile. */
  #rebuild() {
    if (this.#facts.picture) this.#still.show();
    if (this.#buffer.attached) this.#counters.rebuilds += 1;
    this.#facts.picture = false;
    if (Number.isNaN(this.#joinFrom)) this.#joinFrom = performance.now();
    this.#resumed();
    this.#edge.begin();
    this.#buffer.beginEpoch(this.#current.mime, this.#current.tracks, true);
    this.#buffer.appendInit(this.#current.init);
    this.#watchFirstFrame();
    this.#intent.tryPlay();
  }

  #cannotPlay() {
    const { mime } = this.#current;
    this.#facts.unsupported = explainUnsupported(mime);
    this.note(`cannot play ${mime}`);
    this.#emit('error', { code: 'unsupported', message: this.#facts.unsupported });
    this.#buffer.detach();
    this.#still.hide();
    this.#current.init = null;
    this.#connection.suspend();
    this.#probe();
    this.#refresh();
  }

  /** While the stream cannot be played here, asks now and then whether it has become another one. */
  async #probe() {
    const connection = this.#connection;
    if (!document.hidden) {
      const stream = await connection.probe().catch(() => null);
      if (connection !== this.#connection || !this.#facts.unsupported) return;
      if (stream?.mime && stream.mime !== this.mime) {
        this.#facts.unsupported = null;
        if (this.wanted) connection.open();
        this.#refresh();
        return;
      }
    }
    this.#probeTimer = setTimeout(() => this.#probe(), PROBE_INTERVAL);
  }

  /* Media. */

  #appended(before, after) {
    if (after !== before) this.#edgeMovedAt = performance.now();
    this.#edge.appended(before, after);
  }

  #videoFailed() {
    const { error, muted } = this.#video;
    if (!error || !this.#buffer.attached) return;
    // Firefox, where a machine has no sound device and the stream no pictures.
    if (/AudioSinkError|SinkAudioError/i.test(error.message) && !muted) {
      this.#intent.muteForNow('no sound device: muted');
    }
    this.#mediaFailed(error.message || 'The browser cannot decode it.');
  }

  #mediaFailed(message) {
    const now = performance.now();
    this.note(`playback failed: ${message}`);
    this.#emit('error', { code: 'media', message });
    this.#failures = this.#failures.filter((at) => now - at < FAILURE_WINDOW);
    this.#failures.push(now);
    if (this.#facts.picture) this.#still.show();
    this.#forceFresh = true;
    this.#buffer.detach();
    this.#edge.begin();
    if (this.#failures.length <= FAILURES_ALLOWED) {
      // Not from within an event of the buffer that is being replaced.
      queueMicrotask(() => this.#connection?.reconnect('a fresh start at a keyframe'));
      return;
    }
    this.#facts.failure = `${message} Trying again soon.`;
    this.#connection?.suspend();
    this.#refresh();
    clearTimeout(this.#failureTimer);
    this.#failureTimer = setTimeout(() => {
      this.#failures = [];
      this.#facts.failure = null;
      if (this.wanted) this.#connection?.open();
    }, FAILURE_PAUSE);
  }

  #watchFirstFrame() {
    const video = this.#video;
    if (!this.#current.hasVideo || !video.requestVideoFrameCallback) return;
    video.requestVideoFrameCallback(() => this.#firstFrame());
  }

  #playing() {
    // While the picture is held Firefox says so with each piece that comes.
    if (!this.#edge.holding) this.#resumed();
    if (!this.#video.requestVideoFrameCallback || !this.#current.hasVideo) this.#firstFrame();
  }

  #firstFrame() {
    if (this.#facts.picture) return;
    this.#facts.picture = true;
    this.#still.hide();
    this.#joinMs = performance.now() - this.#joinFrom;
    this.#joinFrom = NaN;
    this.note(`first frame after ${Math.round(this.#joinMs)} ms`);
    this.#refresh();
  }

  #stalled(reason, position) {
    this.#emit('stall', { reason, position });
    clearTimeout(this.#stallTimer);
    this.#stallTimer = setTimeout(() => {
      this.#facts.stalled = true;
      this.#refresh();
    }, SHOW_STALL_AFTER);
  }

  #resumed() {
    clearTimeout(this.#stallTimer);
    this.#facts.stalled = false;
  }

  #onTick() {
    this.#edge.tick();
    const now = performance.now();
    if (now - this.#refreshedAt > REFRESH) this.#refresh();
  }

  #refresh() {
    this.#refreshedAt = performance.now();
    const connection = this.#connection;
    const next = describeState({
      ...this.#facts,
      wanted: this.wanted,
      stream: this.#stream,
      connection: connection?.state ?? 'closed',
      problem: connection?.problem ?? null,
      retryIn: connection?.retryAt ? (connection.retryAt - this.#refreshedAt) / 1000 : 0,
    });
    const previous = this.#described;
    this.#described = next;
    if (next.state !== previous.state) {
      this.note(`state: ${next.state}`);
      this.#emit('statechange', { state: next.state, previous: previous.state, message: next.message });
    } else if (next.message !== previous.message) {
      this.#emit('message', { message: next.message });
    }
  }
}

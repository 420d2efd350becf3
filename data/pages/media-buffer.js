// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A MediaSource with one SourceBuffer, fed in order. Everything asked of the SourceBuffer (append, remove,
// changeType) is an operation in one queue, and one pump started by `updateend` works it off. The buffer is
// bounded: what lies behind the playhead is removed, but only up to a sync point, because removing the
// start of a group of pictures removes the pictures that depend on it too (MSE, coded frame
// removal). The queue is bounded as well; a SourceBuffer that takes nothing ends in `onError`.

import { codecsOf, mediaSourceClass } from './media-support.js';

/** Seconds kept behind the playhead, so that a short seek back stays possible. */
const KEEP_BEHIND = 8;
/** Seconds kept in all, whatever the playhead does: a paused or hidden video must not grow. */
const KEEP_AT_MOST = 30;
/** How much has to be removable before it is worth an operation, in seconds. */
const TRIM_STEP = 4;
/** Pieces waiting in the queue are joined up to this many bytes into one append. */
const JOIN_LIMIT = 2 << 20;
const QUEUE_LIMIT = 64 << 20;
const MAX_SYNC_TIMES = 4096;

/**
 * @typedef {object} MediaBufferHandlers
 * @property {(before: number, after: number) => void} onAppended the end of the buffer in seconds before and
 *   after an append; NaN while there is none
 * @property {(message: string) => void} onError the SourceBuffer is unusable and must be rebuilt
 * @property {(text: string) => void} onLog
 */

/** See the head of the file. */
export class MediaBuffer {
  #video;
  #handlers;
  #source = null;
  #buffer = null;
  #objectUrl = null;
  #queue = [];
  #queuedBytes = 0;
  #appending = null;
  #edgeBefore = NaN;
  #syncTimes = [];
  #quotaTries = 0;
  #mime = '';
  #kinds = '';

  /** How often old media had to be removed because the browser's quota was reached. */
  quotaTrims = 0;

  /**
   * @param {HTMLVideoElement} video
   * @param {MediaBufferHandlers} handlers
   */
  constructor(video, handlers) {
    this.#video = video;
    this.#handlers = handlers;
  }

  /** Whether there is a MediaSource. */
  get attached() {
    return this.#source !== null;
  }

  /** Whether it is open: browsers put that off in a tab that was never looked at. */
  get ready() {
    return this.#buffer !== null;
  }

  /** @returns {Array<[number, number]>} what the video has buffered, in seconds */
  get ranges() {
    const { buffered } = this.#video;
    return Array.from({ length: buffered.length }, (_, i) => [buffered.start(i), buffered.end(i)]);
  }

  /** The end of what is buffered in seconds; NaN while there is nothing. */
  get edge() {
    const { buffered } = this.#video;
    return buffered.length ? buffered.end(buffered.length - 1) : NaN;
  }

  /** Whether everything asked for has been appended. */
  get settled() {
    return this.#queue.length === 0;
  }

  /** The start of what is buffered in seconds; NaN while there is nothing. */
  get start() {
    const { buffered } = this.#video;
    return buffered.length ? buffered.start(0) : NaN;
  }

  /**
   * The last sync point at or before a time, where a decoder has to begin to show that time.
   *
   * @param {number} time seconds
   * @returns {number} seconds; NaN when none is known
   */
  syncBefore(time) {
    const times = this.#syncTimes;
    for (let i = times.length - 1; i >= 0; i -= 1) {
      if (times[i] <= time) return times[i];
    }
    return NaN;
  }

  /**
   * Whether an epoch with these tracks can follow in the SourceBuffer there is: MSE wants the same number and
   * kinds of tracks from every initialization segment.
   *
   * @param {string} mime
   * @param {string[]} tracks kinds, such as `["video", "audio"]`
   * @returns {boolean}
   */
  canContinue(mime, tracks) {
    if (!this.#source || kindsKey(tracks) !== this.#kinds) return false;
    return sameType(mime, this.#mime) || typeof globalThis.SourceBuffer?.prototype.changeType === 'function';
  }

  /**
   * Prepares for an epoch: continues in place where `canContinue` says so, else begins a new MediaSource.
   * The initialization segment is then the next thing to append.
   *
   * @param {string} mime
   * @param {string[]} tracks
   * @param {boolean} [fresh] begin anew in any case
   */
  beginEpoch(mime, tracks, fresh = false) {
    if (!fresh && this.canContinue(mime, tracks)) {
      // No `abort` where the type stays: with the parser's state Chromium forgets the last picture, whose length it does not know
      // yet, and stands still for a second and a half at the gap. Every piece ends with a whole block, an initialization
      // segment ends the cluster before it.
      if (!sameType(mime, this.#mime)) this.#push({ type: 'changeType', mime });
      this.#mime = mime;
      return;
    }
    this.detach();
    this.#mime = mime;
    this.#kinds = kindsKey(tracks);
    const Source = mediaSourceClass();
    const source = new Source();
    this.#source = source;
    this.#video.disableRemotePlayback = true;
    source.addEventListener('sourceopen', () => this.#opened(source), { once: true });
    this.#objectUrl = URL.createObjectURL(source);
    this.#video.src = this.#objectUrl;
  }

  /**
   * Appends a piece of the byte stream after everything asked for before.
   *
   * @param {ArrayBuffer} data
   * @param {number} [syncTime] seconds, when the piece begins with a sync point
   */
  append(data, syncTime = NaN) {
    if (!this.#source) return;
    if (!Number.isNaN(syncTime)) {
      this.#noteSync(syncTime);
      if (!this.#buffer) this.#keepOnlyInit();
    }
    this.#queuedBytes += data.byteLength;
    if (this.#queuedBytes > QUEUE_LIMIT) {
      this.#handlers.onError('The browser stopped taking media.');
      return;
    }
    this.#push({ type: 'append', data });
  }

  /**
   * Appends an initialization segment.
   *
   * @param {ArrayBuffer} data
   */
  appendInit(data) {
    if (!this.#source) return;
    this.#queuedBytes += data.byteLength;
    this.#push({ type: 'append', data, init: true });
  }

  /** Gives the MediaSource up. The video element shows nothing afterwards. */
  detach() {
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#appending = null;
    this.#syncTimes = [];
    this.#quotaTries = 0;
    this.#kinds = '';
    this.#mime = '';
    if (this.#buffer) {
      this.#buffer.onupdateend = null;
      this.#buffer.onerror = null;
      this.#buffer = null;
    }
    this.#source = null;
    if (this.#objectUrl) {
      URL.revokeObjectURL(this.#objectUrl);
      this.#objectUrl = null;
      this.#video.removeAttribute('src');
      this.#video.load();
    }
  }

  #opened(source) {
    if (source !== this.#source) return;
    try {
      this.#buffer = source.addSourceBuffer(this.#mime);
    } catch (error) {
      this.#handlers.onError(`The browser refused ${this.#mime}: ${error.message}`);
      return;
    }
    this.#buffer.onupdateend = () => this.#updated();
    this.#buffer.onerror = () => this.#handlers.onError('The browser could not read the media.');
    this.#pump();
  }

  #push(operation) {
    this.#queue.push(operation);
    this.#pump();
  }

  /** While the MediaSource is not open yet, a new sync point makes what waits before it worthless. */
  #keepOnlyInit() {
    if (this.#queuedBytes < JOIN_LIMIT) return;
    this.#queue = this.#queue.filter((operation) => operation.type !== 'append' || operation.init);
    this.#queuedBytes = this.#queue.reduce((sum, { data }) => sum + (data?.byteLength ?? 0), 0);
  }

  #pump() {
    const buffer = this.#buffer;
    if (!buffer || buffer.updating || this.#queue.length === 0) return;
    if (this.#source.readyState === 'closed') return;
    const operation = this.#queue.shift();
    try {
      if (operation.type === 'append') {
        this.#appending = this.#joined(operation);
        this.#edgeBefore = this.edge;
        buffer.appendBuffer(this.#appending.data);
      } else if (operation.type === 'remove') {
        buffer.remove(operation.start, operation.end);
      } else {
        buffer.changeType(operation.mime);
        this.#pump();
      }
    } catch (error) {
      this.#failed(operation, error);
    }
  }

  /** Joins an append with those that wait right behind it: one parse, one event. */
  #joined(first) {
    let total = first.data.byteLength;
    let count = 0;
    for (const next of this.#queue) {
      if (next.type !== 'append' || total + next.data.byteLength > JOIN_LIMIT) break;
      total += next.data.byteLength;
      count += 1;
    }
    if (count === 0) return first;
    const joined = new Uint8Array(total);
    let at = 0;
    for (const { data } of [first, ...this.#queue.splice(0, count)]) {
      joined.set(new Uint8Array(data), at);
      at += data.byteLength;
    }
    return { type: 'append', data: joined };
  }

  #updated() {
    if (this.#appending) {
      this.#queuedBytes -= this.#appending.data.byteLength;
      this.#appending = null;
      this.#quotaTries = 0;
      this.#handlers.onAppended(this.#edgeBefore, this.edge);
      this.#trim(TRIM_STEP);
    }
    this.#pump();
  }

  #failed(operation, error) {
    if (operation.type === 'append' && error.name === 'QuotaExceededError') {
      const piece = this.#appending ?? operation;
      this.#appending = null;
      this.#quotaTries += 1;
      this.quotaTrims += 1;
      const removed = this.#quotaTries < 3 && this.#trim(0, this.#quotaTries > 1 ? 0.5 : 2);
      this.#handlers.onLog(removed ? 'quota reached, old media removed' : 'quota reached, nothing to remove');
      if (removed) {
        this.#queue.splice(1, 0, piece);
        this.#pump();
      } else {
        this.#handlers.onError('The browser’s media memory is full.');
      }
      return;
    }
    this.#appending = null;
    this.#handlers.onError(`${error.name}: ${error.message}`);
  }

  #noteSync(time) {
    const times = this.#syncTimes;
    while (times.length && times[times.length - 1] >= time) times.pop();
    times.push(time);
    if (times.length > MAX_SYNC_TIMES) times.shift();
  }

  /**
   * Puts a removal at the head of the queue when at least `step` seconds can go.
   *
   * @returns {boolean} whether it did
   */
  #trim(step, keepBehind = KEEP_BEHIND) {
    const { start, edge } = this;
    if (Number.isNaN(start)) return false;
    const keepAtMost = keepBehind < KEEP_BEHIND ? keepBehind * 2 : KEEP_AT_MOST;
    const bound = Math.max(this.#video.currentTime - keepBehind, edge - keepAtMost);
    if (bound - start <= step) return false;
    const times = this.#syncTimes;
    let last = -1;
    while (last + 1 < times.length && times[last + 1] <= bound) last += 1;
    if (last < 0) return false;
    // A little before the sync point: the time of its block may be rounded.
    const end = times[last] - 0.005;
    if (end - start <= step) return false;
    times.splice(0, last);
    this.#queue.unshift({ type: 'remove', start: 0, end });
    return true;
  }
}

/** Whether two types differ only in the order of their codecs. */
function sameType(a, b) {
  return a === b || (a.split(';')[0] === b.split(';')[0] && kindsKey(codecsOf(a)) === kindsKey(codecsOf(b)));
}

function kindsKey(tracks) {
  return [...(tracks ?? [])].sort().join(',');
}

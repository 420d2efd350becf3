// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which epoch is this, and does its time go on from the last one? Decides how an initialization segment
// enters the buffer. Pure logic: it touches no media element.
//
// Within one server's life a stream's timestamps never go back, so a later epoch is appended to the same buffer, and
// the same epoch met again after a reconnection simply overlaps. A server that restarted begins at
// epoch 1 and time 0: the epoch's number is lower, or its segment has other bytes, or its first cluster lies before
// what is buffered. Then only a new buffer helps.

import { timestampScale } from './webm-peek.js';

/** A later epoch's first timestamp may lie this many seconds before the end of the buffer. */
const SLACK = 1;
/** The same epoch may start again at a keyframe this many seconds before what is buffered. */
const LONGEST_GOP = 60;

/** See the head of the file. */
export class EpochTracker {
  #awaitsUnit = false;
  #again = false;

  epoch = 0;
  mime = '';
  /** Kinds of its tracks, such as `["video", "audio"]`. */
  tracks = [];
  /** The initialization segment; null before the first. */
  init = null;
  /** Seconds a timestamp tick. */
  tick = 0.001;

  /** Whether the pictures of this epoch matter, or it is sound alone. */
  get hasVideo() {
    return this.tracks.includes('video');
  }

  /** Whether the next unit is the first one after an initialization segment. */
  get awaitsUnit() {
    return this.#awaitsUnit;
  }

  /** Forgets everything. */
  reset() {
    Object.assign(this, { epoch: 0, mime: '', tracks: [], init: null, tick: 0.001 });
    this.#awaitsUnit = false;
  }

  /**
   * Notes what an `init` message says, without its segment.
   *
   * @param {{epoch: number, mime: string, tracks?: string[]}} message
   * @returns {boolean} whether it is another epoch or type than before
   */
  announce(message) {
    const changed = message.epoch !== this.epoch || message.mime !== this.mime;
    this.epoch = message.epoch;
    this.mime = message.mime;
    this.tracks = message.tracks ?? [];
    return changed;
  }

  /**
   * An initialization segment arrived.
   *
   * @param {{epoch: number}} message the `init` message before it, not yet announced
   * @param {ArrayBuffer} data
   * @returns {'fresh'|'again'|'later'} begin a new buffer; the epoch that is in the buffer already; a later one
   */
  begin(message, data) {
    const known = this.init !== null;
    const again = known && message.epoch === this.epoch && sameBytes(data, this.init);
    const later = known && message.epoch > this.epoch;
    this.init = data;
    this.tick = timestampScale(data);
    this.#awaitsUnit = true;
    this.#again = again;
    if (again) return 'again';
    return later ? 'later' : 'fresh';
  }

  /**
   * The first unit after an initialization segment arrived.
   *
   * @param {number} time its seconds, or NaN
   * @param {number} start the buffer's start, or NaN
   * @param {number} edge the buffer's end, or NaN
   * @returns {boolean} whether time went back, so that a new buffer is needed
   */
  firstUnit(time, start, edge) {
    this.#awaitsUnit = false;
    if (Number.isNaN(time) || Number.isNaN(edge)) return false;
    return this.#again ? time < start - LONGEST_GOP : time < edge - SLACK;
  }
}

function sameBytes(a, b) {
  if (a.byteLength !== b.byteLength) return false;
  const left = new Uint8Array(a);
  const right = new Uint8Array(b);
  return left.every((byte, i) => byte === right[i]);
}

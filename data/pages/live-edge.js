// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Keeps a video at the live edge. After a join it seeks once, to the target latency before the edge, and lets it run as soon
// as that much is ahead of it: at once for who comes late, a moment later for who was there before the first picture.
// Nothing is played fast to get there. From then on it holds the target by playing a few percent faster or slower, and
// jumps only when far behind, over a gap, or when the decoder hangs. When the buffer has run dry it holds the picture
// until the target's worth of media is there again, instead of stuttering along at the edge.
//
// Latency means: the distance from the playhead to the end of the buffer right after an append. It is
// measured there and smoothed, because between two appends it falls by as much as they are apart.

import { ArrivalModel } from './arrival-model.js';

const SLOWEST = 0.97;
const FASTEST = 1.1;
/** Rate change a second of error: 5 % for an eighth of a second. Half of an error is gone after 1.7 s. */
const GAIN = 0.4;
/** The rate changes only when the error is above the first and until it is below the second, in seconds. */
const ENGAGE = 0.04;
const RELEASE = 0.006;
/** Catching up ends a little beyond the target, not a little before it. */
const BEYOND = 2 * RELEASE;
/** A `waiting` event comes this long after its cause. */
const EVENT_DELAY = 0.1;
/** Further behind the target than this is too far to be caught up by playing faster. */
const FAR_BEHIND = 1.5;
/** On return from a pause or a hidden tab less is far. */
const FAR_ON_RETURN = 0.25;
const SETTLE_TIME = 0.4;
/** A join waits this long for the rest of its first burst. */
const BURST_TIME = 0.3;
const SMOOTHING = 0.5;
/** Less than this ahead of a playhead that stands still: the buffer is dry. */
const DRY = 0.08;
const STUCK = 0.15;
/** This close before a gap it is time to leap it. */
const NEAR_GAP = 0.04;
/** Who stands still this close before a gap stands still because of it: sound runs dry well before the end. */
const BEFORE_GAP = 0.5;
/** For so long after pictures that were appended again they are watched, and so long may none come while the clock runs. */
const OVERLAP_TIME = 3;
const NO_PICTURE = 0.25;
/** No media for this long and a playhead that stands still: the buffer is as good as dry, browsers keep a little back. */
const SILENT = 0.4;
/** A stall longer than this is an outage; it says nothing about the latency that would have been enough. */
const OUTAGE = 1.5;
/** After a stall longer than this a seek is the faster way to go on, if it takes no longer than the second figure. */
const SEEK_AFTER = 0.3;
const QUICK_SEEK = 0.2;
const HANG = 1.5;
const SEEK_LIMIT = 8;
/** Seconds of decoding a second of media costs, until a seek has been measured. */
const FIRST_DECODE_COST = 0.05;
/** A decoder that costs more could not play at all; a seek that took longer waited for media, not for the decoder. */
const DEAREST_DECODE = 1;
const HOLD_LIMIT = 2;

/**
 * @typedef {object} LiveEdgeHandlers
 * @property {(reason: string, position: number) => void} onStall playback stands still: `starved`, `gap` or `hang`
 * @property {() => void} onResume it goes on
 * @property {() => void} onHang the decoder hung several times in a row
 * @property {(text: string) => void} onLog
 */

/** See the head of the file. All times in seconds. */
export class LiveEdge {
  #video;
  #buffer;
  #handlers;
  #model = new ArrivalModel();
  #fixedTarget = NaN;
  #joining = true;
  #joiningSince = NaN;
  #settledAt = 0;
  #decodeCost = FIRST_DECODE_COST;
  #seekSpan = NaN;
  #seekStart = NaN;
  #latency = NaN;
  #latencyAt = 0;
  #adjusting = false;
  #holdingSince = NaN;
  #judged = true;
  #movedAt = 0;
  #appendedAt = 0;
  #edgeBefore = NaN;
  #lastTime = NaN;
  #progressAt = 0;
  #seekingSince = NaN;
  #overlapEnd = NaN;
  #pictureAt = 0;
  #hangs = [];

  /** Whether the person wants it to play. */
  active = false;
  /** Whether media is expected to arrive: only then is running dry a stall that counts. */
  expecting = false;
  stalls = 0;
  jumps = 0;
  gaps = 0;

  /**
   * @param {HTMLVideoElement} video
   * @param {import('./media-buffer.js').MediaBuffer} buffer
   * @param {LiveEdgeHandlers} handlers
   */
  constructor(video, buffer, handlers) {
    this.#video = video;
    this.#buffer = buffer;
    this.#handlers = handlers;
    video.addEventListener('seeked', () => this.#seeked());
  }

  /** The latency to aim at. */
  get target() {
    return Number.isNaN(this.#fixedTarget) ? this.#model.target(clock()) : this.#fixedTarget;
  }

  /** @param {number} seconds NaN for automatic */
  set target(seconds) {
    this.#fixedTarget = seconds > 0 ? Math.min(seconds, 20) : NaN;
  }

  /** The smoothed latency; NaN while nothing plays. */
  get latency() {
    if (this.#joining) return NaN;
    const ahead = this.#ahead();
    // Without appends the smoothed value is old news.
    return clock() - this.#latencyAt > 1 && !Number.isNaN(ahead) ? ahead : this.#latency;
  }

  /** @param {boolean} sound whether the stream has sound, of which browsers want more ahead */
  set hasSound(sound) {
    this.#model.hasSound = sound;
  }

  /** The measured arrival jitter; NaN while too little is known. */
  get jitter() {
    return this.#model.jitter;
  }

  /** Whether the picture is held until enough is buffered. */
  get holding() {
    return !Number.isNaN(this.#holdingSince);
  }

  /** A new MediaSource: the next media is where playback starts. */
  begin() {
    this.#joining = true;
    this.#joiningSince = NaN;
    this.#latency = NaN;
    this.#judged = true;
    this.#hold(clock());
    this.rejoin();
  }

  /** A new epoch or connection in the same buffer: arrivals before and after do not compare. */
  rejoin() {
    this.#judged = true;
    this.#model.reset();
    this.#settledAt = Infinity;
  }

  /**
   * After a reconnection the newest group of pictures is appended again. Chromium plays what it had of it, then shows no picture before
   * the next group, perhaps seconds later, while the sound runs on; unless it seeks to where it is.
   */
  overlapped() {
    const video = this.#video;
    if (!video.requestVideoFrameCallback) return;
    this.#overlapEnd = this.#buffer.edge + OVERLAP_TIME;
    const picture = () => {
      this.#pictureAt = clock();
      if (video.currentTime < this.#overlapEnd) video.requestVideoFrameCallback(picture);
    };
    video.requestVideoFrameCallback(picture);
  }

  /**
   * To be called after each append.
   *
   * @param {number} before the edge before it
   * @param {number} after the edge after it
   */
  appended(before, after) {
    if (Number.isNaN(after)) return;
    const now = clock();
    if (after !== before) this.#movedAt = now;
    this.#appendedAt = now;
    this.#edgeBefore = before;
    if (this.#joining) {
      if (after === before) return;
      if (Number.isNaN(this.#joiningSince)) this.#joiningSince = now;
      if (!this.#buffer.settled && now - this.#joiningSince < BURST_TIME) return;
      this.#joining = false;
      this.#settledAt = now + SETTLE_TIME;
      this.#progressAt = now;
      this.#seek(after - this.target);
      // A hold would put off the start of the sound.
      if (after - this.#buffer.ranges.at(-1)[0] >= this.target) this.#release();
      else this.#hold(now);
      return;
    }
    if (this.#settledAt === Infinity) this.#settledAt = now + SETTLE_TIME;
    if (now > this.#settledAt && after > before) this.#model.add(now, before, after);
    this.#sample(now, after - this.#video.currentTime);
    this.#control(now);
  }

  /** To be called ten times a second, and when the video says that it waits. */
  tick() {
    const now = clock();
    const video = this.#video;
    if (this.#joining) return;
    if (!this.active || video.paused) {
      this.#progressAt = now;
      return;
    }
    if (video.seeking) {
      const gapEnd = this.#gapAt(video.currentTime, BEFORE_GAP);
      if (Number.isNaN(this.#seekingSince)) this.#seekingSince = now;
      else if (gapEnd && now - this.#seekingSince > STUCK) {
        // What it waits for lies behind the gap.
        this.#seekingSince = NaN;
        this.#leap(video.currentTime, gapEnd);
      } else if (now - this.#seekingSince > SEEK_LIMIT) {
        this.#seekingSince = NaN;
        this.#jump('a seek did not end');
      }
      this.#progressAt = now;
      return;
    }
    this.#seekingSince = NaN;
    const time = video.currentTime;
    if (!(time > this.#lastTime)) {
      this.#pictureAt = now;
    } else if (time < this.#overlapEnd && now - this.#pictureAt > NO_PICTURE) {
      this.#overlapEnd = NaN;
      this.#handlers.onLog('no pictures: seeking to where it is');
      this.#seek(time);
      return;
    }
    const still = time === this.#lastTime && now - this.#progressAt > STUCK && !this.holding;
    const gapEnd = this.#gapAt(time, still ? BEFORE_GAP : NEAR_GAP);
    if (gapEnd) {
      this.#leap(time, gapEnd);
    } else if (time !== this.#lastTime) {
      this.#lastTime = time;
      this.#progressAt = now;
    } else if (!this.holding && now - this.#progressAt > STUCK) {
      this.#stuck(now, time);
    }
    this.#control(now);
  }

  /** The video's `waiting` event: holds at once when the buffer is dry, and learns when it is not. */
  waiting() {
    if (this.#joining || !this.active || this.#video.seeking || this.holding) return;
    const ahead = this.#ahead();
    const time = this.#video.currentTime;
    const gapEnd = this.#gapAt(time, BEFORE_GAP);
    if (gapEnd) {
      this.#leap(time, gapEnd);
    } else if (ahead < DRY) {
      this.#starved(clock());
    } else if (ahead < 2 * this.target && clock() > this.#settledAt) {
      // What came while the event was underway came too late.
      const left = clock() - this.#appendedAt < EVENT_DELAY ? Math.min(ahead, Math.max(DRY, this.#edgeBefore - time)) : ahead;
      this.#model.underflow(clock(), left);
      this.#handlers.onLog(`the browser ran dry ${left.toFixed(2)} s before the edge`);
    }
  }

  /** Goes to the live edge when not already near it: after a pause, a hidden tab, a sleep. */
  catchUp() {
    if (this.#joining) return;
    const ahead = this.#ahead();
    if (ahead > this.target + FAR_ON_RETURN || Number.isNaN(ahead)) this.#jump('back to the live edge');
  }

  #ahead() {
    return this.#buffer.edge - this.#video.currentTime;
  }

  #sample(now, latency) {
    if (this.#video.seeking) return;
    const weight = Number.isNaN(this.#latency) ? 1 : 1 - Math.exp((this.#latencyAt - now) / SMOOTHING);
    this.#latency = weight === 1 ? latency : this.#latency + weight * (latency - this.#latency);
    this.#latencyAt = now;
  }

  #control(now) {
    const video = this.#video;
    if (!this.active || video.paused || video.seeking) return;
    const ahead = this.#ahead();
    if (Number.isNaN(ahead)) return;
    const { target } = this;
    if (this.holding) {
      this.#judge(now, ahead);
      const flowing = now - this.#movedAt < STUCK;
      const waited = flowing && ahead > 2 * DRY && now - this.#holdingSince > HOLD_LIMIT;
      if (ahead < target && !waited) return;
      const held = now - this.#holdingSince;
      const from = Math.max(video.currentTime, this.#buffer.edge - target);
      this.#release();
      this.#settledAt = Math.max(this.#settledAt, now + SETTLE_TIME);
      this.#handlers.onResume();
      if (held > OUTAGE || (held > SEEK_AFTER && this.#seekTime(from) < QUICK_SEEK)) {
        // With each underflow Chromium's sound wants more before it goes on; a seek makes it forget that.
        this.#seek(from);
        return;
      }
    }
    const behind = ahead - target;
    if (behind > Math.max(FAR_BEHIND, target) && behind > 2 * this.#seekTime(this.#buffer.edge - target)) {
      this.#jump('far behind');
      return;
    }
    this.#adjust(this.#latency - target + BEYOND);
  }

  /**
   * How long a seek would take, from what seeks took before: the decoder begins at the sync point before it. Where that is
   * slow, a jump is put off until there is a sync point near the edge; else one seek would follow the other.
   */
  #seekTime(time) {
    const sync = this.#buffer.syncBefore(time);
    return Number.isNaN(sync) ? 0 : (time - sync) * this.#decodeCost;
  }

  #seeked() {
    const span = this.#seekSpan;
    this.#seekSpan = NaN;
    if (!(span > 0.2)) return;
    const cost = Math.min(DEAREST_DECODE, (clock() - this.#seekStart) / span);
    this.#decodeCost += (cost - this.#decodeCost) * (cost > this.#decodeCost ? 0.7 : 0.4);
  }

  /** Small rate changes with hysteresis. */
  #adjust(error) {
    if (Number.isNaN(error)) return;
    if (this.#adjusting ? Math.abs(error) < RELEASE : Math.abs(error) < ENGAGE) {
      this.#adjusting = false;
      this.#setRate(1);
      return;
    }
    this.#adjusting = true;
    const rate = Math.min(FASTEST, Math.max(SLOWEST, 1 + error * GAIN));
    this.#setRate(Math.round(rate * 200) / 200);
  }

  #setRate(rate) {
    if (this.#video.playbackRate !== rate) this.#video.playbackRate = rate;
  }

  #stuck(now, time) {
    const ahead = this.#ahead();
    if (ahead < DRY || (now - this.#movedAt > SILENT && ahead < 2 * this.target)) {
      this.#starved(now);
    } else if (now - this.#progressAt > HANG) {
      this.#hangs = this.#hangs.filter((at) => now - at < 10);
      this.#hangs.push(now);
      this.#model.stalled(now);
      this.#count('hang', time);
      if (this.#hangs.length > 3) {
        this.#hangs = [];
        this.#handlers.onHang();
      } else {
        this.#jump('the decoder hung');
        this.#handlers.onResume();
      }
    }
  }

  /**
   * Where the next buffered range begins when the playhead is at the end of one, or between two, or has run through a gap
   * since the last look; else 0. Sound may run on through a gap in which only pictures are missing; Chromium then
   * shows no picture any more until the next seek.
   *
   * @param {number} time
   * @param {number} near how far before the end of a range counts as its end
   */
  #gapAt(time, near) {
    const { ranges } = this.#buffer;
    if (ranges.length < 2) return 0;
    for (const [start, end] of ranges) {
      if (start > time) return start;
      if (start > this.#lastTime && start <= time && this.#lastTime >= ranges[0][0]) return start;
      if (end > time + near) return 0;
    }
    return 0;
  }

  #leap(time, gapEnd) {
    const { edge } = this.#buffer;
    // Not before there is enough behind the gap to play on.
    if (edge - gapEnd < Math.min(this.target, 2 * DRY)) return;
    this.gaps += 1;
    this.#handlers.onLog(`jumped a gap at ${time.toFixed(2)} s, to ${gapEnd.toFixed(2)} s`);
    this.#handlers.onStall('gap', time);
    this.#seek(Math.max(gapEnd + 0.001, time, edge - Math.max(this.target, DRY)));
    this.#handlers.onResume();
  }

  #hold(now) {
    this.#holdingSince = now;
    this.#setRate(0);
  }

  #starved(now) {
    this.#hold(now);
    this.#judged = !this.expecting;
    this.#count('starved', this.#video.currentTime);
  }

  /** Media comes again: a short stall means that the target was too low. */
  #judge(now, ahead) {
    if (this.#judged || now - this.#movedAt > STUCK || ahead < DRY) return;
    this.#judged = true;
    if (now - this.#holdingSince < OUTAGE) this.#model.stalled(now);
  }

  #release() {
    this.#judged = true;
    this.#holdingSince = NaN;
    this.#adjusting = false;
    this.#setRate(1);
  }

  #count(reason, position) {
    if (this.expecting) {
      this.stalls += 1;
      this.#handlers.onLog(`stalled (${reason}) at ${position.toFixed(2)} s`);
    }
    this.#handlers.onStall(reason, position);
  }

  #jump(reason) {
    const { edge } = this.#buffer;
    if (Number.isNaN(edge)) return;
    this.jumps += 1;
    this.#handlers.onLog(`jumped to the live edge: ${reason}`);
    this.#seek(edge - this.target);
  }

  /** Seeks into the last buffered range. */
  #seek(time) {
    const last = this.#buffer.ranges.at(-1);
    if (!last) return;
    const aim = Math.min(Math.max(time, last[0]), last[1]);
    this.#latency = NaN;
    this.#seekStart = clock();
    this.#seekSpan = aim - this.#buffer.syncBefore(aim);
    this.#progressAt = this.#seekStart;
    this.#lastTime = aim;
    this.#video.currentTime = aim;
  }
}

function clock() {
  return performance.now() / 1000;
}

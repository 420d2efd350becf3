// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How late does media arrive, and how far behind the edge must one play so that it is never missed?
//
// Playing at rate 1 means currentTime = now - C for some constant C. The picture stands still unless, when
// append i arrives at time t[i], what was buffered until then (e[i-1]) reaches that far:
// C >= t[i] - e[i-1]. So the largest t[i] - e[i-1] of a window is the C that would have been enough. The latency
// a person sees right after an append is C - (t[i] - e[i]), and so the target that would have been enough is
// max(t[i] - e[i-1]) - mean(t[i] - e[i]). A regular arrival every 100 ms gives 0.1 s.
//
// On top comes a reserve for what the browser keeps ahead of the playhead. Pictures alone want little. Sound is taken from
// the buffer well before it is heard: Chromium 156 ran dry at up to 0.13 s before the end of the buffer. How much a
// device wants is learned: when a video waits for data although there is some, the reserve was too small.

const WINDOW = 12;
const RESERVE = 0.05;
const RESERVE_WITH_SOUND = 0.12;
const MOST_RESERVE = 0.5;
const RESERVE_STEP = 0.03;
const RESERVE_HALF_LIFE = 120;
const RESERVE_PAUSE = 4;
const BEST = 0.15;
const WORST = 4;
/** A gap longer than this is an outage, which a stall tells of, not jitter to prepare for. */
const OUTAGE = 1.5;
/** Lateness that lasts longer than this is the new normal. */
const OUTAGE_LASTS = 2;
const ENOUGH_SAMPLES = 5;
/** Until arrivals were watched for this long, the target is not below the first one: recordings begin unevenly. */
const WATCH_FIRST = 3;
const FIRST_JITTER = 0.35;
const BOOST_HALF_LIFE = 30;
const MOST_BOOST = 2;

/** Estimates the target latency from arrivals. All times in seconds. */
export class ArrivalModel {
  #samples = [];
  #outageSince = NaN;
  #learned = 0;
  #learnedAt = -Infinity;
  #boost = 0;
  #boostAt = 0;
  #cached = FIRST_JITTER;
  #cachedAt = -Infinity;

  /** Whether the stream has sound. */
  hasSound = false;

  /** Forgets the arrivals, not the stalls: for a new epoch or connection. */
  reset() {
    this.#samples = [];
    this.#outageSince = NaN;
    this.#cachedAt = -Infinity;
  }

  /**
   * Notes an append.
   *
   * @param {number} now
   * @param {number} before the edge before it
   * @param {number} after the edge after it
   */
  add(now, before, after) {
    const need = now - before;
    const offset = now - after;
    const usual = this.#samples.length ? this.#samples[this.#samples.length - 1].offset : offset;
    if (need - usual > OUTAGE) {
      if (Number.isNaN(this.#outageSince)) this.#outageSince = now;
      else if (now - this.#outageSince > OUTAGE_LASTS) this.reset();
      return;
    }
    this.#outageSince = NaN;
    this.#samples.push({ now, need, offset });
    while (this.#samples[0].now < now - WINDOW) this.#samples.shift();
  }

  /**
   * Notes that the picture stood still for want of media.
   *
   * @param {number} now
   */
  stalled(now) {
    this.#boost = Math.min(MOST_BOOST, this.boost(now) * 1.5 + 0.1);
    this.#boostAt = now;
    this.#cachedAt = -Infinity;
  }

  /**
   * Notes that the video waited for data although there was some.
   *
   * @param {number} now
   * @param {number} ahead how much, in seconds
   */
  underflow(now, ahead) {
    // One underflow makes the next more likely for a moment; it teaches nothing.
    if (now - this.#learnedAt < RESERVE_PAUSE) return;
    const wanted = Math.min(MOST_RESERVE, Math.max(ahead, this.reserve(now)) + RESERVE_STEP);
    this.#learned = wanted - this.#baseReserve;
    this.#learnedAt = now;
    this.#cachedAt = -Infinity;
  }

  get #baseReserve() {
    return this.hasSound ? RESERVE_WITH_SOUND : RESERVE;
  }

  /** What the browser is given ahead of the playhead at worst, in seconds. */
  reserve(now) {
    const learned = this.#learned * 0.5 ** ((now - this.#learnedAt) / RESERVE_HALF_LIFE);
    return this.#baseReserve + learned;
  }

  /** What stalls have added, in seconds; it halves every half minute. */
  boost(now) {
    return this.#boost * 0.5 ** ((now - this.#boostAt) / BOOST_HALF_LIFE);
  }

  /** The largest lateness of the window less its mean; NaN while too little is known. */
  get jitter() {
    if (this.#samples.length < ENOUGH_SAMPLES) return NaN;
    let need = -Infinity;
    let sum = 0;
    for (const sample of this.#samples) {
      if (sample.need > need) need = sample.need;
      sum += sample.offset;
    }
    return need - sum / this.#samples.length;
  }

  /**
   * The latency right after an append to aim at.
   *
   * @param {number} now
   * @returns {number} seconds
   */
  target(now) {
    if (now - this.#cachedAt < 0.25) return this.#cached;
    const { jitter } = this;
    const reserve = this.reserve(now);
    const young = Number.isNaN(jitter) || now - this.#samples[0].now < WATCH_FIRST;
    const measured = Number.isNaN(jitter) ? 0 : jitter;
    const base = Math.max(BEST, (young ? Math.max(measured, FIRST_JITTER) : measured) + reserve);
    this.#cached = Math.min(WORST, base + this.boost(now));
    this.#cachedAt = now;
    return this.#cached;
  }
}

// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How late does media arrive, and how far behind the edge must one play so that it is never missed?
//
// Playing at rate 1 means currentTime = now - C for some constant C. The picture stands still unless, when
// append i arrives at time t[i], what was buffered until then (e[i-1]) reaches that far:
// C >= t[i] - e[i-1]. So the largest t[i] - e[i-1] of a window is the C that would have been enough. The latency
// a person sees right after an append is C - (t[i] - e[i]), and so the target that would have been enough is
// max(t[i] - e[i-1]) - mean(t[i] - e[i]), plus a little for decoding. A regular arrival every 100 ms gives 0.1 s.

const WINDOW = 12;
const SAFETY = 0.05;
const BEST = 0.15;
const WORST = 4;
/** A gap longer than this is an outage, which a stall tells of, not jitter to prepare for. */
const OUTAGE = 1.5;
/** Lateness that lasts longer than this is the new normal. */
const OUTAGE_LASTS = 2;
const ENOUGH_SAMPLES = 5;
const FIRST_TARGET = 0.2;
const BOOST_HALF_LIFE = 30;
const MOST_BOOST = 2;

/** Estimates the target latency from arrivals. All times in seconds. */
export class ArrivalModel {
  #samples = [];
  #outageSince = NaN;
  #boost = 0;
  #boostAt = 0;
  #cached = FIRST_TARGET;
  #cachedAt = -Infinity;

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
    const base = Number.isNaN(jitter) ? FIRST_TARGET : Math.max(BEST, jitter + SAFETY);
    this.#cached = Math.min(WORST, base + this.boost(now));
    this.#cachedAt = now;
    return this.#cached;
  }
}

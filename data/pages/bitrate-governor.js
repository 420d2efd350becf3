// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Decides from what has not reached the server yet whether the network carries the bitrate. Pure logic: the session asks it twice a
// second and acts. Down quickly, up slowly, and slower still where going up went wrong.

const FLOOR = 100_000;
const STEP_DOWN = 0.6;
/** How much of what the network carried may be asked for. */
const SHARE = 0.7;
const STEP_UP = 1.3;
/** Waiting this many seconds' worth of media is too much. */
const TOO_MUCH_SECONDS = 1.5;
const TOO_MUCH_BYTES = 96 * 1024;
const DRAINED_BYTES = 48 * 1024;
const PATIENCE = 1000;
const FIRST_UP = 45_000;
const LONGEST_UP = 300_000;
const UP_FAILED_WITHIN = 20_000;

/** See the head of the file. Times in milliseconds, bitrates in bits a second. */
export class BitrateGovernor {
  #wanted;
  #crowdedSince = NaN;
  #calmSince = NaN;
  #wentUpAt = -Infinity;
  #upAfter = FIRST_UP;

  /** The bitrate to record with. */
  bitrate;

  /** @param {number} wanted the bitrate the person chose */
  constructor(wanted) {
    this.#wanted = wanted;
    this.bitrate = wanted;
  }

  /** What the person chose. */
  get wanted() {
    return this.#wanted;
  }

  /** @param {number} wanted */
  set wanted(wanted) {
    this.#wanted = wanted;
    this.bitrate = wanted;
    this.#upAfter = FIRST_UP;
    this.restarted();
  }

  /** Whether the bitrate is lower than chosen. */
  get lowered() {
    return this.bitrate < this.#wanted;
  }

  /** A new recording or connection began. */
  restarted() {
    this.#crowdedSince = NaN;
    this.#calmSince = NaN;
  }

  /**
   * @param {number} waiting bytes that have not reached the server
   * @returns {boolean} whether so little waits that a recording may go on
   */
  drained(waiting) {
    return waiting <= DRAINED_BYTES;
  }

  /**
   * @param {number} now
   * @param {number} waiting bytes that have not reached the server
   * @param {number} carried bits a second that reach the server; NaN when it is not known
   * @param {number} produced bits a second that the recorder gives, often far less than it was asked for; NaN when it is not known
   * @returns {'keep'|'lower'|'raise'} `bitrate` has changed already when it is not `keep`
   */
  check(now, waiting, carried, produced) {
    const real = Number.isNaN(produced) ? this.bitrate : Math.min(this.bitrate, produced);
    const limit = Math.max(TOO_MUCH_BYTES, (real / 8) * TOO_MUCH_SECONDS);
    if (waiting > limit) {
      this.#calmSince = NaN;
      if (Number.isNaN(this.#crowdedSince)) this.#crowdedSince = now;
      if (now - this.#crowdedSince < PATIENCE) return 'keep';
      if (now - this.#wentUpAt < UP_FAILED_WITHIN) this.#upAfter = Math.min(LONGEST_UP, this.#upAfter * 2);
      const lower = Math.min(real * STEP_DOWN, Number.isNaN(carried) ? Infinity : carried * SHARE);
      this.bitrate = Math.max(Math.min(FLOOR, this.#wanted), Math.round(lower));
      return 'lower';
    }
    this.#crowdedSince = NaN;
    if (Number.isNaN(this.#calmSince)) this.#calmSince = now;
    if (!this.lowered || now - this.#calmSince < this.#upAfter) return 'keep';
    this.bitrate = Math.min(this.#wanted, Math.round(this.bitrate * STEP_UP));
    this.#wentUpAt = now;
    return 'raise';
  }
}

// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Exponential back-off with jitter: thousands of pages that lose a server in the same instant must
// not come back in the same instant.

/** Successive delays for retries. */
export class Backoff {
  #first;
  #most;
  #attempt = 0;

  /**
   * @param {{first?: number, most?: number}} [options] milliseconds before the first retry, and the
   *   longest delay
   */
  constructor({ first = 300, most = 10000 } = {}) {
    this.#first = first;
    this.#most = most;
  }

  /** How many delays were handed out since the last reset. */
  get attempts() {
    return this.#attempt;
  }

  /** @returns {number} milliseconds to wait: between half and all of first × 2^attempts */
  next() {
    const full = Math.min(this.#most, this.#first * 2 ** this.#attempt);
    this.#attempt += 1;
    return full * (0.5 + Math.random() / 2);
  }

  /** Begins again with the first delay. */
  reset() {
    this.#attempt = 0;
  }
}

// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Calls back in a regular rhythm, whether the tab is looked at or not: a broadcast goes on while its
// tab is hidden, as it always is when another window is shared.

/** Starts at once; `stop` ends it. */
export class Ticker {
  #worker = null;
  #timer = 0;

  /**
   * @param {number} interval milliseconds
   * @param {() => void} callback
   */
  constructor(interval, callback) {
    try {
      this.#worker = new Worker(new URL('./ticker-worker.js', import.meta.url));
      this.#worker.onmessage = callback;
      this.#worker.onerror = () => {
        this.stop();
        this.#timer = setInterval(callback, interval);
      };
      this.#worker.postMessage(interval);
    } catch {
      this.#timer = setInterval(callback, interval);
    }
  }

  /** Ends it. */
  stop() {
    this.#worker?.terminate();
    this.#worker = null;
    clearInterval(this.#timer);
  }
}

/**
 * Draws at a frame rate: in step with the screen while the tab is visible, so that a picture is captured right
 * after it was drawn, and by a ticker while it is hidden.
 */
export class FrameTicker {
  #ticker;
  #request = 0;
  #stopped = false;

  /**
   * @param {number} fps frames a second
   * @param {(now: number) => void} draw gets `performance.now()`
   */
  constructor(fps, draw) {
    const interval = 1000 / fps;
    let due = 0;
    const step = (now) => {
      // A quarter of a frame early is on time: screens do not divide evenly.
      if (now < due - interval / 4) return;
      due = Math.max(due + interval, now);
      draw(now);
    };
    const onFrame = (now) => {
      if (this.#stopped) return;
      this.#request = requestAnimationFrame(onFrame);
      step(now);
    };
    this.#request = requestAnimationFrame(onFrame);
    this.#ticker = new Ticker(interval, () => {
      if (document.hidden) step(performance.now());
    });
  }

  /** Ends it. */
  stop() {
    this.#stopped = true;
    cancelAnimationFrame(this.#request);
    this.#ticker.stop();
  }
}

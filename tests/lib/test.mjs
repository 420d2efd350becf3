// SPDX-License-Identifier: LGPL-2.1-or-later
// node's test runner with what every test here needs: a filter, a time limit, and fixtures that are made once and undone.

import nodeTest, { after } from 'node:test';

/** Everything takes longer under a sanitizer or valgrind; `./dev` says how much. */
export const SLOWER = Number(process.env.RELAIS_TEST_SLOWER ?? 1);

const FILTER = (process.env.RELAIS_TEST_FILTER ?? '').toLowerCase().split('\n').filter(Boolean);
const DEFAULT_LIMIT_MS = 120_000;

/* What the running test has opened. A test that fails leaves it open, and with that the process would not end. */
let opened = [];
let sharing = false;

/** One test case. `options.limit` is its time limit in milliseconds (a watchdog, never an expectation); `options.skip` a reason. */
export function test(name, options, fn) {
  if (typeof options === 'function')
    [options, fn] = [{}, options];
  if (FILTER.length > 0 && !FILTER.some((part) => name.toLowerCase().includes(part)))
    return;
  nodeTest(name, { timeout: (options.limit ?? DEFAULT_LIMIT_MS) * SLOWER, skip: options.skip ?? false }, async (t) => {
    const mine = opened = [];
    const abandonAll = () => mine.splice(0).forEach((one) => one.abandon());
    t.signal.addEventListener('abort', abandonAll);
    try {
      await fn(t);
    } catch (error) {
      abandonAll();
      throw error;
    } finally {
      // It comes with a good end too.
      t.signal.removeEventListener('abort', abandonAll);
    }
  });
}

/** A fixture for all tests of a file: made when first asked for, undone when the file is done. */
export function shared(make, dispose) {
  let promise;
  after(async () => {
    if (promise)
      await dispose(await promise);
  });
  return () => {
    sharing = true;
    try {
      return promise ??= make();
    } finally {
      sharing = false;
    }
  };
}

/** `promise`, or an error that says what was waited for. The limit is a watchdog: nothing is expected to come close to it. */
export function within(promise, what, limit = 30_000) {
  let timer;
  const ms = limit * SLOWER;
  const watchdog = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms / 1000} s in vain for ${typeof what === 'function' ? what() : what}`)), ms);
  });
  return Promise.race([promise, watchdog]).finally(() => clearTimeout(timer));
}

/** Lets waiters look at a growing record: `until(condition)` resolves with the first truthy value of `condition()`. */
export class Watched {
  #waiters = new Set();

  constructor() {
    if (!sharing)
      opened.push(this);
  }

  /** Lets go of what it holds open, without a word: its test has failed. */
  abandon() {}

  /** To be called after each change. */
  changed() {
    for (const look of [...this.#waiters])
      look();
  }

  until(condition, what, limit) {
    let look;
    const promise = new Promise((resolve, reject) => {
      look = () => {
        let value;
        try {
          value = condition();
        } catch (error) {
          this.#waiters.delete(look);
          reject(error);
          return;
        }
        if (value) {
          this.#waiters.delete(look);
          resolve(value);
        }
      };
      this.#waiters.add(look);
      look();
    });
    return within(promise, what, limit).finally(() => this.#waiters.delete(look));
  }
}

/** A generator of numbers in [0, 1) that is the same in every run (mulberry32); a failing run names its seed. */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

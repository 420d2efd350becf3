// SPDX-License-Identifier: LGPL-2.1-or-later
// Watch pages that are looked at while something happens to the stream: is it still the same document, how long did the picture stand
// still, does it play on, and is it back at its target latency?

import assert from 'node:assert/strict';

import { playsOn, VIDEO, watchPage } from './pages.mjs';
import { publish } from './publisher.mjs';

/* Further from the target than this the player is still on its way to it, in seconds. */
const AT_TARGET = 0.2;

/* What the browsers themselves write to the console when a connection is lost, which no page can keep from happening. */
export const NETWORK_WORDS = /WebSocket|net::ERR_|NS_ERROR|NetworkError|can.t establish a connection|was interrupted while the page was loading/i;

/* Runs in the page. `longest`: the longest time between two different pictures, and without progress of the clock. */
function look(find, token) {
  const video = new Function(`return ${find}`)();
  const seen = { token, frames: 0, picture: { at: performance.now(), value: -1, longest: 0 }, clock: { at: performance.now(), value: -1, longest: 0 },
    states: [], mark() {
      const now = performance.now();
      Object.assign(this.picture, { at: now, longest: 0 });
      Object.assign(this.clock, { at: now, longest: 0 });
      this.frames = 0;
      this.states = [];
    }, now() {
      const still = ({ at, longest }) => Math.round(Math.max(longest, performance.now() - at));
      return { token, frames: this.frames, picture: still(this.picture), clock: still(this.clock), states: this.states };
    } };
  const step = (what, value) => {
    if (value === what.value)
      return false;
    const now = performance.now();
    what.longest = Math.max(what.longest, now - what.at);
    what.at = now;
    what.value = value;
    return true;
  };
  const frame = (now, { mediaTime }) => {
    if (step(seen.picture, mediaTime))
      seen.frames++;
    video.requestVideoFrameCallback(frame);
  };
  video.requestVideoFrameCallback(frame);
  setInterval(() => step(seen.clock, video.currentTime), 20);
  document.querySelector('relais-player').addEventListener('statechange', ({ detail }) => seen.states.push(detail.state));
  window.witness = seen;
}

export class Witness {
  #token = Math.random();

  /** Use `witness`. */
  constructor(page, name) {
    this.page = page;
    this.name = name;
  }

  async install() {
    await this.page.wait(() => document.querySelector('relais-player')?.video, 'the player');
    await this.page.evaluate(look, VIDEO, this.#token);
    return this;
  }

  evaluate(fn, ...args) {
    return this.page.evaluate(fn, ...args);
  }

  get stats() {
    return this.page.evaluate(() => document.querySelector('relais-player').stats);
  }

  state(wanted) {
    return this.page.wait((word) => document.querySelector('relais-player').state === word, `state ${wanted}`, wanted);
  }

  /** From here on counts what `after` tells. */
  mark() {
    return this.page.evaluate(() => window.witness.mark());
  }

  /** Resolves when it plays at its target latency, with no claim about pictures. */
  async atTarget() {
    try {
      await this.page.wait((near) => {
        const { state, latency, targetLatency, video } = document.querySelector('relais-player');
        return state === 'live' && !video.paused && Math.abs(latency - targetLatency) < near;
      }, 'the target latency', AT_TARGET);
    } catch (error) {
      throw new Error(`${error.message}\n${JSON.stringify(await this.stats)}`, { cause: error });
    }
  }

  /**
   * What the page must do after any event: the same document goes on, the clock runs, pictures are decoded, and the latency is at its
   * target. Resolves with what was seen since `mark` and a line about it.
   */
  async survives(what, { seconds = 2, frames = true } = {}) {
    await this.state('live');
    if (frames)
      await this.page.wait(() => window.witness.frames > 3, `pictures after ${what}`);
    await playsOn(this.page, { seconds, frames });
    await this.atTarget();
    const seen = await this.page.evaluate(() => window.witness?.now());
    assert.equal(seen?.token, this.#token, `${this.name}: ${what}: the page was loaded again`);
    const stats = await this.stats;
    const log = await this.page.evaluate(() => document.querySelector('relais-player').log.map(({ text }) => text));
    return { ...seen, stats, log, line: `${what}, ${this.name}: picture stood still ${frames ? seen.picture : '–'} ms, clock ${seen.clock} ms; `
      + `latency ${stats.latency.toFixed(2)} s, target ${stats.targetLatency.toFixed(2)} s; `
      + `${stats.stalls} stalls, ${stats.jumps} jumps, ${stats.gaps} gaps, ${stats.rebuilds} rebuilds, ${stats.reconnects} reconnects` };
  }

  /** No complaint but of the connections that the test broke itself. */
  async close({ faults = false } = {}) {
    if (faults)
      this.page.complaints = this.page.complaints.filter((words) => !NETWORK_WORDS.test(words));
    this.page.clean();
    await this.page.close();
  }
}

/** Opens a watch page of `id` at the server or a proxy. */
export async function witness(browser, server, id, name, query) {
  const page = await watchPage(browser, server, id, query);
  page.name = `watch ${id} in ${name}`;
  return new Witness(page, name).install();
}

/** A publisher that sends a capture at its own timing until it is told to stop. */
export class Feed {
  #stopped = false;

  constructor(publisher, capture, options = {}) {
    this.publisher = publisher;
    const each = async (index) => {
      await options.each?.(index);
      if (this.#stopped)
        throw this;
    };
    this.done = publisher.replay(capture, { pace: 'own', ...options, each }).then(() => assert.ok(options.whole, `the capture was too short for the test of ${publisher.id}`),
      (error) => {
        if (error !== this)
          throw error;
      });
    // It is awaited in `stop`; until then an error must not end the process.
    this.done.catch(() => {});
  }

  /** No more chunks; the connection stays. */
  async stop() {
    this.#stopped = true;
    await this.done;
    return this.publisher;
  }

  async end() {
    await (await this.stop()).end();
  }

  async cut() {
    this.#stopped = true;
    this.publisher.cut();
    await this.done.catch(() => {});
  }
}

/** Connects a publisher and lets it send `capture`. */
export async function feed(server, id, capture, options) {
  return new Feed(await publish(server, id), capture, options);
}

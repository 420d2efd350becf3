// SPDX-License-Identifier: LGPL-2.1-or-later
// A viewer as the protocol has it: a WebSocket to /live/{id} that records every message and when it came.

import assert from 'node:assert/strict';
import WebSocket from 'ws';

import { Watched } from './test.mjs';

export class Viewer extends Watched {
  /** Every message in order: `{ at, text }` (parsed) or `{ at, data }`; `at` in milliseconds of `performance.now()`. */
  messages = [];
  /** `{ init, header, units: [{ at, data }], drops: [{ unit, ms }] }` for each init segment; `unit`: the first one after the drop. */
  epochs = [];
  bytes = 0;

  /** Connects at once. */
  constructor(server, id, options = {}) {
    super();
    this.id = id;
    this.began = performance.now();
    this.socket = new WebSocket(server.ws(`/live/${id}`, options.address), { perMessageDeflate: false, ...options.ws });
    this.socket.on('open', () => {
      this.opened = performance.now();
      this.changed();
    });
    this.socket.on('message', (data, isBinary) => this.#take(data, isBinary));
    this.socket.on('unexpected-response', (request, response) => {
      this.refused = response.statusCode;
      response.destroy();
      this.changed();
    });
    this.socket.on('error', (error) => {
      this.error = error;
      this.changed();
    });
    this.socket.on('close', (code, reason) => {
      this.close = { code, reason: reason.toString() };
      this.changed();
    });
  }

  #take(data, isBinary) {
    const at = performance.now();
    const previous = this.messages.at(-1);
    if (isBinary) {
      this.bytes += data.length;
      const epoch = this.epochs.at(-1);
      if (!epoch)
        this.fault ??= `the first message is ${data.length} bytes of binary without an init message`;
      else if (!epoch.header) {
        if (previous?.text?.type !== 'init')
          this.fault ??= `between an init message and its init segment came ${JSON.stringify(previous?.text)}`;
        epoch.header = data;
      } else {
        epoch.units.push({ at, data });
      }
      this.messages.push({ at, data });
    } else {
      const text = JSON.parse(data.toString());
      if (this.epochs.at(-1) && !this.epochs.at(-1).header)
        this.fault ??= `between an init message and its init segment came ${JSON.stringify(text)}`;
      if (text.type === 'init')
        this.epochs.push({ init: text, header: undefined, units: [], drops: [] });
      else if (text.type === 'drop' && this.epochs.length > 0)
        this.epochs.at(-1).drops.push({ unit: this.epochs.at(-1).units.length, ms: text.ms });
      this.messages.push({ at, text });
    }
    this.changed();
  }

  get texts() {
    return this.messages.filter((one) => one.text).map((one) => one.text);
  }

  get types() {
    return this.texts.map((one) => one.type);
  }

  /** Resolves with the n-th (from 1) message of the type; fails if the connection ends without it. */
  message(type, n = 1) {
    return this.until(() => {
      const found = this.texts.filter((one) => one.type === type)[n - 1];
      if (!found)
        this.#mustLive(`${type} message`);
      return found;
    }, () => `${type} message ${n} for a viewer of ${this.id}; it has ${this.types}`);
  }

  /** Resolves when `count` units of the n-th epoch (from 1) have come. */
  units(count = 1, n = 1) {
    return this.until(() => {
      const there = (this.epochs[n - 1]?.units.length ?? 0) >= count;
      if (!there)
        this.#mustLive(`unit ${count} of epoch ${n}`);
      return there;
    }, () => `unit ${count} of epoch ${n} for a viewer of ${this.id}; it has ${this.epochs.map((one) => one.units.length)}`);
  }

  #mustLive(what) {
    if (this.close || this.refused || (this.error && !this.opened))
      throw new Error(`no ${what} for a viewer of ${this.id}; it has ${JSON.stringify(this.texts)}, `
        + `${JSON.stringify(this.close ?? this.refused ?? String(this.error))}`);
  }

  closed() {
    return this.until(() => this.close, () => `the close of a viewer of ${this.id}`);
  }

  /** Everything of the n-th epoch (from 1), or its units from `from` up to `to`, as one file. */
  file(n = 1, from = 0, to = undefined) {
    assert.equal(this.fault, undefined, this.fault);
    const epoch = this.epochs[n - 1];
    assert.ok(epoch?.header, `a viewer of ${this.id} has no epoch ${n}`);
    assert.equal(epoch.header.length, epoch.init.bytes, 'the init message tells the length of the init segment');
    return Buffer.concat([epoch.header, ...epoch.units.slice(from, to).map((one) => one.data)]);
  }

  /** Leaves with a close frame, or without one. */
  async leave() {
    if (this.close)
      return this.close;
    this.socket.close(1000);
    return this.closed();
  }

  cut() {
    this.socket.terminate();
  }

  abandon() {
    this.cut();
  }
}

/** Connects and waits for the first message (`waiting` or `init`): from here on nothing of the stream passes this viewer by. */
export async function watch(server, id, options) {
  const viewer = new Viewer(server, id, options);
  await viewer.until(() => viewer.messages.length > 0 || viewer.refused || viewer.error || viewer.close, `the first message for a viewer of ${id}`);
  assert.ok(viewer.messages.length > 0, `a viewer of ${id} was refused: ${viewer.refused ?? viewer.error ?? JSON.stringify(viewer.close)}`);
  return viewer;
}

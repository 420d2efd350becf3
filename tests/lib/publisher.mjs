// SPDX-License-Identifier: LGPL-2.1-or-later
// A publisher as the protocol has it: a WebSocket to /publish/{id} whose binary messages are a recorder's chunks.

import { setTimeout as due } from 'node:timers/promises';
import WebSocket from 'ws';

import { Watched } from './test.mjs';

export class Publisher extends Watched {
  /** Text messages of the server, parsed. */
  messages = [];

  /** Use `publish`. */
  constructor(server, id, options = {}) {
    super();
    this.id = id;
    this.socket = new WebSocket(server.ws(`/publish/${id}`, options.address), { perMessageDeflate: false, ...options.ws });
    this.socket.on('message', (data, isBinary) => {
      this.messages.push(isBinary ? { type: '(binary)', data } : JSON.parse(data.toString()));
      this.changed();
    });
    this.socket.on('open', () => {
      this.open = true;
      this.changed();
    });
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

  /** Resolves with the first message of the type from index `from` on; fails if the connection ends without one. */
  message(type, from = 0) {
    return this.until(() => {
      const found = this.messages.slice(from).find((one) => one.type === type);
      if (!found && (this.close || this.refused || (this.error && !this.open)))
        throw new Error(`no ${type} message for the publisher of ${this.id}; it has ${JSON.stringify(this.messages)}, `
          + `${JSON.stringify(this.close ?? this.refused ?? String(this.error))}`);
      return found;
    }, `a ${type} message for the publisher of ${this.id}`);
  }

  closed() {
    return this.until(() => this.close, () => `the close of the publisher of ${this.id}`);
  }

  /** Sends one message; resolves when the socket took it (so that a fast replay is held back by the server's reading). */
  send(data) {
    return new Promise((resolve, reject) => {
      this.socket.send(data, (error) => error ? reject(error) : resolve());
    });
  }

  /** Sends all chunks: at their own timing, or as fast as the server reads. `each` sees the index before each one. */
  async replay(capture, { pace = 'full', each, from = 0, to = capture.chunks.length } = {}) {
    const begun = performance.now() - (capture.chunks[from]?.at ?? 0);
    for (let index = from; index < to; index++) {
      const { at, data } = capture.chunks[index];
      if (pace === 'own')
        await due(Math.max(0, at - (performance.now() - begun)));
      await each?.(index);
      await this.send(data);
    }
  }

  /** A clean end: a close frame, answered. Resolves with the server's close code. */
  async end(code = 1000) {
    this.socket.close(code);
    return this.closed();
  }

  /** The connection breaks: no close frame. */
  cut() {
    this.socket.terminate();
  }

  abandon() {
    this.cut();
  }
}

/** Connects and waits for `ready`. */
export async function publish(server, id, options) {
  const publisher = new Publisher(server, id, options);
  await publisher.message('ready');
  return publisher;
}

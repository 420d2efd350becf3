// SPDX-License-Identifier: LGPL-2.1-or-later
// A network that fails on demand: a TCP proxy between a page and the server. A page is opened at the proxy's address instead of the
// server's; everything it asks for, its WebSocket too, goes through here.
//
//   cut         both ends are told that the connection is closed (FIN)
//   reset       both ends are told that it broke (RST)
//   stall       nothing is read or written any more, until `resume`; senders feel it when the buffers of the system are full
//   throttle    so many bytes a second, each way and each connection
//   half-open   everything is taken and thrown away, and nobody is told: a cable pulled out
//   refuse      whoever comes is reset, as by a machine whose server is down

import net from 'node:net';

/** How much is read at a time under a throttle, and how often: small, so that it flows evenly. */
const SLICE_MS = 20;

/** One direction of one connection. */
class Pipe {
  #from;
  #to;
  #proxy;
  #queue = [];
  #timer;
  #dueAt = 0;
  #ended = false;
  swallow = false;

  constructor(from, to, proxy) {
    this.#from = from;
    this.#to = to;
    this.#proxy = proxy;
    from.on('data', (data) => {
      if (this.swallow)
        return;
      this.#queue.push(data);
      from.pause();
      this.pump();
    });
    from.on('end', () => {
      this.#ended = true;
      this.pump();
    });
    to.on('drain', () => this.pump());
  }

  pump() {
    clearTimeout(this.#timer);
    if (this.#proxy.stalled || this.#to.destroyed)
      return;
    while (this.#queue.length > 0) {
      const rate = this.#proxy.rate;
      let data = this.#queue[0];
      if (Number.isFinite(rate)) {
        const now = performance.now();
        if (now < this.#dueAt) {
          this.#timer = setTimeout(() => this.pump(), this.#dueAt - now);
          return;
        }
        data = data.subarray(0, Math.max(1, Math.floor(rate * SLICE_MS / 1000)));
        this.#dueAt = Math.max(this.#dueAt, now - SLICE_MS) + data.length * 1000 / rate;
      }
      if (data.length === this.#queue[0].length)
        this.#queue.shift();
      else
        this.#queue[0] = this.#queue[0].subarray(data.length);
      if (!this.#to.write(data) && this.#to.writableNeedDrain)
        return;
    }
    // The end of one direction is not the end of the other, nor does it count for whom nothing reaches any more.
    if (this.#ended && !this.swallow)
      this.#to.end();
    else
      this.#from.resume();
  }

  lose() {
    this.swallow = true;
    this.#queue = [];
    clearTimeout(this.#timer);
    this.#from.resume();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#queue = [];
  }
}

export class FaultProxy {
  #target;
  #listener;
  #connections = new Set();
  #refusing = false;
  stalled = false;
  rate = Infinity;
  /** How many connections were taken, refused ones not counted. */
  accepted = 0;

  /** Use `startProxy`. */
  constructor(server) {
    this.server = server;
    this.#target = server.port;
    this.#listener = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
  }

  async listen() {
    await new Promise((resolve) => this.#listener.listen(0, '127.0.0.1', resolve));
    return this;
  }

  /* What a page or a client asks of a server, so that the proxy can stand in for it. */

  url(rest = '/') {
    return `http://127.0.0.1:${this.#listener.address().port}${rest}`;
  }

  ws(rest) {
    return this.url(rest).replace(/^http/, 'ws');
  }

  waitLog(...args) {
    return this.server.waitLog(...args);
  }

  get log() {
    return this.server.log;
  }

  #accept(client) {
    if (this.#refusing) {
      client.on('error', () => {});
      client.resetAndDestroy();
      return;
    }
    this.accepted++;
    const upstream = net.connect({ port: this.#target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const connection = { sockets: [client, upstream], pipes: [new Pipe(client, upstream, this), new Pipe(upstream, client, this)], lost: false };
    this.#connections.add(connection);
    for (const socket of connection.sockets) {
      // A connection that fails on one side fails on the other, unless the cable between is cut.
      socket.on('error', () => {
        if (!connection.lost)
          connection.sockets.forEach((one) => one.destroy());
      });
      socket.on('close', () => {
        if (connection.sockets.every((one) => one.destroyed)) {
          connection.pipes.forEach((pipe) => pipe.stop());
          this.#connections.delete(connection);
        } else if (!connection.lost) {
          connection.sockets.forEach((one) => one.destroySoon());
        }
      });
    }
  }

  #each(act) {
    for (const connection of [...this.#connections])
      act(connection);
  }

  cut() {
    this.#each(({ sockets }) => sockets.forEach((socket) => socket.destroy()));
  }

  reset() {
    this.#each(({ sockets }) => sockets.forEach((socket) => socket.resetAndDestroy()));
  }

  stall() {
    this.stalled = true;
  }

  resume() {
    this.stalled = false;
    this.#pump();
  }

  /** `bytes` a second from now on; Infinity for as fast as it goes. */
  throttle(bytes) {
    this.rate = bytes;
    this.#pump();
  }

  /** The connections there are carry nothing any more; new ones do. */
  halfOpen() {
    this.#each((connection) => {
      connection.lost = true;
      connection.pipes.forEach((pipe) => pipe.lose());
    });
  }

  refuse(yes = true) {
    this.#refusing = yes;
  }

  #pump() {
    this.#each(({ pipes, lost }) => lost || pipes.forEach((pipe) => pipe.pump()));
  }

  async close() {
    const closed = new Promise((resolve) => this.#listener.close(resolve));
    this.#each(({ sockets }) => sockets.forEach((socket) => socket.destroy()));
    await closed;
  }
}

/** A proxy before a server of tests/lib/server.mjs. */
export function startProxy(server) {
  return new FaultProxy(server).listen();
}

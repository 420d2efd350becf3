// SPDX-License-Identifier: LGPL-2.1-or-later
// Servers and short-lived programs, each awaited by what it says, none left behind.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const READY_LIMIT_MS = 15_000;
const STOP_LIMIT_MS = 8000;
const running = new Set();

/** Ends whatever still runs. */
export function stopAll() {
  for (const child of running)
    child.kill('SIGKILL');
}

function start(command, args, options) {
  const child = spawn(command, args, options);
  running.add(child);
  child.once('close', () => running.delete(child));
  return child;
}

/** Resolves with what a program wrote to its standard output; fails with what it complained of. */
export function run(command, args, { env, output = 'pipe' } = {}) {
  return new Promise((resolve, reject) => {
    const child = start(command, args, { stdio: ['ignore', output, 'pipe'], env: { ...process.env, ...env } });
    let said = '';
    let complaints = '';
    child.stdout?.on('data', (data) => (said += data));
    child.stderr.on('data', (data) => (complaints += data));
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0)
        resolve(said);
      else
        reject(new Error(`${command} ${args.join(' ')} ended with ${signal ?? code}: ${complaints.slice(-2000)}`));
    });
  });
}

/** A server that says `listening on http://127.0.0.1:PORT/` on its standard output, or that is known to listen on `port`. */
export class RunningServer {
  log = [];

  constructor(child, port) {
    this.child = child;
    this.port = port;
  }

  get pid() {
    return this.child.pid;
  }

  url(rest = '/') {
    return `http://127.0.0.1:${this.port}${rest}`;
  }

  async stop() {
    const closed = new Promise((resolve) => this.child.once('close', resolve));
    if (this.child.exitCode !== null || this.child.signalCode !== null)
      throw new Error(`the server ended early:\n${this.log.slice(-20).join('\n')}`);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_LIMIT_MS);
    this.child.kill('SIGTERM');
    await closed;
    clearTimeout(timer);
  }
}

/** Starts a server and waits until it listens. */
export function serve(command, args, { port, options = {} } = {}) {
  // The floor and libsoup's server end with their standard input, so that they never outlive this program.
  const child = start(command, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options });
  const server = new RunningServer(child, port);
  createInterface({ input: child.stderr }).on('line', (line) => {
    server.log.push(line);
    server.log.splice(0, server.log.length - 100);
  });
  return new Promise((resolve, reject) => {
    const fail = (why) => reject(new Error(`${command}: ${why}\n${server.log.join('\n')}`));
    const timer = setTimeout(() => fail('does not get ready'), READY_LIMIT_MS);
    child.once('error', (error) => fail(error.message));
    child.once('close', (code, signal) => fail(`ended with ${signal ?? code}`));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /listening on http:\/\/127\.0\.0\.1:(\d+)\//.exec(line);
      if (!found)
        return;
      clearTimeout(timer);
      server.port = Number(found[1]);
      resolve(server);
    });
    if (port)
      untilListening(port, () => child.exitCode === null).then(() => {
        clearTimeout(timer);
        resolve(server);
      }, (error) => fail(error.message));
  });
}

async function untilListening(port, alive) {
  while (alive()) {
    try {
      await fetch(`http://127.0.0.1:${port}/`);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

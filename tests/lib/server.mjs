// SPDX-License-Identifier: LGPL-2.1-or-later
// The real binary, on a free port, watched: its ready line, its log as events, its exit code.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createWriteStream, existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { Watched } from './test.mjs';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const BINARY = process.env.RELAIS_BINARY
  ?? ['build-test', 'build'].map((name) => path.join(ROOT, name, 'src', 'relais')).find(existsSync);

/** What no run of the server may say: GLib's and GStreamer's criticals, and any sanitizer's report. */
const FATAL = /-CRITICAL \*\*|\bCRITICAL\b|runtime error:|(Address|Leak|Thread|UndefinedBehavior)Sanitizer/;

export class Server extends Watched {
  /** Lines of standard error and of standard output, as they came. */
  log = [];
  output = [];

  /** Use `startServer`. */
  constructor(args, env) {
    super();
    this.child = spawn(BINARY, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, G_DEBUG: 'fatal-criticals', GST_DEBUG: process.env.GST_DEBUG ?? '', ...env },
    });
    // Should a test die before its teardown, the server goes with it.
    this.reap = () => this.child.kill('SIGKILL');
    process.once('exit', this.reap);
    const file = process.env.RELAIS_TEST_OUT && createWriteStream(path.join(process.env.RELAIS_TEST_OUT, `server-${this.child.pid}.log`));
    file?.write(`relais ${args.join(' ')}\n`);
    createInterface({ input: this.child.stderr }).on('line', (line) => {
      this.log.push(line);
      file?.write(`${line}\n`);
      this.changed();
    });
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      this.output.push(line);
      this.changed();
    });
    this.exited = new Promise((resolve) => {
      this.child.on('close', (code, signal) => {
        process.off('exit', this.reap);
        this.exit = { code, signal };
        file?.end(`ended with ${signal ?? code}\n`);
        resolve(this.exit);
        this.changed();
      });
    });
  }

  abandon() {
    this.reap();
  }

  get pid() {
    return this.child.pid;
  }

  /** The base addresses of the ready line, without the slash at the end. */
  get addresses() {
    return [...this.output[0].matchAll(/http:\/\/[^\s,/]+/g)].map(([address]) => address);
  }

  url(rest = '/', index = 0) {
    return this.addresses[index] + rest;
  }

  ws(rest, index = 0) {
    return this.url(rest, index).replace(/^http/, 'ws');
  }

  get port() {
    return Number(new URL(this.addresses[0]).port);
  }

  async ready() {
    await this.until(() => this.output.length > 0 || this.exit, () => `the ready line\n${this.tail()}`);
    assert.ok(this.output.length > 0, `the server ended with ${JSON.stringify(this.exit)}\n${this.tail()}`);
    assert.match(this.output[0], /^relais \S+ listening on http:\/\/\S+\//);
    return this;
  }

  /** Resolves with the first log line from index `from` on that matches. */
  waitLog(pattern, { from = 0, limit } = {}) {
    return this.until(() => this.log.slice(from).find((line) => pattern.test(line)),
      () => `a log line like ${pattern}\n${this.tail()}`, limit);
  }

  tail(lines = 25) {
    return this.log.slice(-lines).join('\n');
  }

  /** Sends the signal and demands a clean end: exit code 0, one line on standard output, nothing fatal in the log. */
  async stop(signal = 'SIGTERM') {
    if (!this.exit)
      this.child.kill(signal);
    try {
      await this.until(() => this.exit, () => `the end of the server after ${signal}\n${this.tail()}`);
    } catch (error) {
      const threads = this.backtrace();
      this.child.kill('SIGKILL');
      await this.exited;
      throw new Error(`${error.message}\n${threads}`, { cause: error });
    }
    const fatal = this.log.findIndex((line) => FATAL.test(line));
    if (fatal >= 0)
      assert.fail(`the server's log has:\n${this.log.slice(fatal, fatal + 40).join('\n')}`);
    assert.deepEqual(this.exit, { code: 0, signal: null }, this.tail());
    assert.equal(this.output.length, 1, `standard output: ${this.output.join('\n')}`);
  }

  /** What each thread does, for whoever reads about a server that hangs; needs gdb. */
  backtrace() {
    const { stdout } = spawnSync('gdb', ['-p', String(this.pid), '-batch', '-ex', 'thread apply all backtrace 25'], { encoding: 'utf8' });
    return (stdout ?? '(no gdb)').split('\n').filter((line) => /^(Thread|#)/.test(line)).join('\n');
  }

  async get(rest, options) {
    return fetch(this.url(rest), options);
  }

  /** A JSON answer of the API, which must be 200. */
  async json(rest) {
    const response = await this.get(rest);
    assert.equal(response.status, 200, rest);
    assert.match(response.headers.get('content-type'), /^application\/json/);
    return response.json();
  }

  /** Resolves when the process has at most so many descriptors open. Nothing says when the kernel has closed the last one: it is looked at. */
  async descriptorsDownTo(most) {
    const looking = setInterval(() => this.changed(), 20);
    try {
      await this.until(() => this.usage().descriptors <= most, () => `at most ${most} descriptors; there are ${this.usage().descriptors}`);
    } finally {
      clearInterval(looking);
    }
  }

  /** What the kernel counts for the process: open descriptors, threads, resident and anonymous memory in KiB. */
  usage() {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)[1]);
    return {
      descriptors: readdirSync(`/proc/${this.pid}/fd`).length,
      threads: field('Threads'),
      resident: field('VmRSS'),
      anonymous: field('RssAnon'),
    };
  }
}

/** Arguments for the binary from `{ listen, set, config, args, logLevel }`. */
export function serverArguments({ listen = ['127.0.0.1:0'], set = {}, config, logLevel = 'debug', args = [] } = {}) {
  return [
    ...listen.flatMap((address) => ['--listen', address]),
    ...config ? ['--config', config] : [],
    ...Object.entries(set).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
    ...logLevel ? ['--log-level', logLevel] : [],
    ...args,
  ];
}

/** Starts the binary and waits until it is ready. */
export function startServer(options = {}) {
  return new Server(serverArguments(options), options.env).ready();
}

/** The environment for a test that watches the server's memory: AddressSanitizer keeps freed memory for a while, 256 MB of it unless told otherwise. */
export function letGoOfMemory() {
  return { ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:quarantine_size_mb=1` };
}

/** Runs the binary until it ends by itself: `{ code, signal, output, log }`. */
export async function runServer(args, env) {
  const server = new Server(args, env);
  await server.until(() => server.exit, () => `the end of relais ${args.join(' ')}\n${server.tail()}`);
  return { ...server.exit, output: server.output.join('\n'), log: server.log.join('\n') };
}

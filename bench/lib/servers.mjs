// SPDX-License-Identifier: LGPL-2.1-or-later
// What is measured and what it is measured against, each started in the same way, and the load against it.

import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';

import { run, serve } from './process.mjs';

const PASSWORD = 'bench';

/** The options of bench-load as its arguments. */
function toArguments(options) {
  return Object.entries(options).flatMap(([key, value]) => {
    const name = `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    return value === true ? [name] : [name, String(value)];
  });
}

/** Runs one scenario of bench-load against a server; resolves with what it measured. */
export async function load(context, scenario, server, options) {
  const said = await run(context.program('bench/bench-load'),
    [scenario, ...toArguments({ ...server.loadOptions, ...options, port: server.port, pid: server.pid })]);
  return JSON.parse(said);
}

/** The relais of the build; `settings` are configuration keys. */
export async function startRelais(context, settings = {}) {
  const set = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  const server = await serve(context.program('src/relais'), ['--listen', '127.0.0.1:0', ...set]);
  server.loadOptions = {};
  return server;
}

/** The least that a server can do, with `threads` that share the viewers. */
export async function startFloor(context, { unitBytes, threads, unsentBytes = 128 * 1024 }) {
  const server = await serve(context.program('bench/bench-floor'), [`--unit-bytes=${unitBytes}`, `--threads=${threads}`, `--unsent-bytes=${unsentBytes}`]);
  server.loadOptions = { protocol: 'frames', source: 'none' };
  return server;
}

/** libsoup's own WebSocket server. */
export async function startSoup(context, { unitBytes }) {
  const server = await serve(context.program('bench/bench-soup'), [`--unit-bytes=${unitBytes}`]);
  server.loadOptions = { source: 'none' };
  return server;
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Whether Icecast is installed: its version, or null. */
export async function icecastVersion() {
  try {
    return (await run('icecast2', ['-v'])).trim();
  } catch {
    return null;
  }
}

/**
 * Icecast 2 with its limits raised: clients, and a queue and a burst as long as what relais keeps for a viewer that lags (4 MiB), or
 * two seconds of media at the start.
 */
export async function startIcecast(context) {
  const port = await freePort();
  const folder = path.join(context.folder, 'icecast');
  mkdirSync(folder, { recursive: true });
  // Icecast does not run as root: it gets the folder and its own user.
  chmodSync(context.folder, 0o755);
  const user = process.getuid() === 0 ? (await run('id', ['-u', 'nobody'])).trim() : '';
  const group = user && (await run('id', ['-g', 'nobody'])).trim();
  if (user)
    chownSync(folder, Number(user), Number(group));
  const config = path.join(folder, 'icecast.xml');
  writeFileSync(config, `<icecast>
  <location>here</location>
  <admin>nobody@localhost</admin>
  <limits>
    <clients>5000</clients>
    <sources>10</sources>
    <queue-size>4194304</queue-size>
    <burst-size>655360</burst-size>
    <client-timeout>30</client-timeout>
    <header-timeout>15</header-timeout>
    <source-timeout>10</source-timeout>
  </limits>
  <authentication>
    <source-password>${PASSWORD}</source-password>
    <relay-password>${PASSWORD}</relay-password>
    <admin-user>admin</admin-user>
    <admin-password>${PASSWORD}</admin-password>
  </authentication>
  <hostname>localhost</hostname>
  <listen-socket><port>${port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
  <fileserve>0</fileserve>
  <paths>
    <basedir>/usr/share/icecast2</basedir>
    <logdir>${folder}</logdir>
    <webroot>/usr/share/icecast2/web</webroot>
    <adminroot>/usr/share/icecast2/admin</adminroot>
  </paths>
  <logging><accesslog>access.log</accesslog><errorlog>error.log</errorlog><loglevel>2</loglevel></logging>
  <security><chroot>0</chroot></security>
</icecast>
`);
  const server = await serve('icecast2', ['-c', config], { port, options: user ? { uid: Number(user), gid: Number(group) } : {} });
  server.loadOptions = { protocol: 'http', source: 'put', publish: '/bench.webm', watch: '/bench.webm', credentials: `source:${PASSWORD}` };
  return server;
}

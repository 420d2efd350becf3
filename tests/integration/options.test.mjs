// SPDX-License-Identifier: LGPL-2.1-or-later
// The binary's outside: options, addresses, the ready line, exit codes (sysexits), signals.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

import { loadCapture } from '../lib/captures.mjs';
import { publish } from '../lib/publisher.mjs';
import { runServer, startServer } from '../lib/server.mjs';
import { test } from '../lib/test.mjs';
import { watch } from '../lib/viewer.mjs';

const EX_USAGE = 64, EX_UNAVAILABLE = 69, EX_CONFIG = 78;

async function healthy(server, index = 0) {
  const response = await fetch(server.url('/healthz', index));
  assert.equal(response.status, 200);
  await response.arrayBuffer();
}

test('--version prints one line and ends with 0', async () => {
  const { code, output } = await runServer(['--version']);
  assert.equal(code, 0);
  assert.match(output, /^relais \d+\.\d+\.\d+$/);
});

test('--help names the options and ends with 0', async () => {
  const { code, output } = await runServer(['--help']);
  assert.equal(code, 0);
  for (const option of ['--listen', '--config', '--set', '--log-level', '--version'])
    assert.ok(output.includes(option), `${option} in:\n${output}`);
});

for (const args of [['--no-such-option'], ['--listen'], ['--listen', 'nonsense'], ['--listen', '127.0.0.1:99999'], ['--log-level', 'loud'],
  ['a-word-too-many'], ['--set', 'no-equals-sign']]) {
  test(`relais ${args.join(' ')} ends with EX_USAGE and says why`, async () => {
    const { code, output, log } = await runServer(args);
    assert.equal(code, EX_USAGE, log);
    assert.equal(output, '');
    assert.notEqual(log.trim(), '');
  });
}

test('a key that does not exist, or a value out of bounds, ends with EX_CONFIG and is named', async () => {
  for (const [setting, word] of [['no-such-key=1', 'no-such-key'], ['ring-max-bytes=-1', 'ring-max-bytes'], ['viewer-lag-ms=soon', 'viewer-lag-ms']]) {
    const { code, log } = await runServer(['--listen', '127.0.0.1:0', '--set', setting]);
    assert.ok([EX_USAGE, EX_CONFIG].includes(code), `${setting}: exit code ${code}`);
    assert.ok(log.includes(word), log);
  }
});

test('a configuration file is read; what it gets wrong is named with EX_CONFIG', async (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'relais-test-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const good = path.join(folder, 'good.conf'), bad = path.join(folder, 'bad.conf');
  writeFileSync(good, '[relais]\nrepublish-grace-ms=0\nlisten=127.0.0.1:0\n');
  writeFileSync(bad, '[relais]\nrepublish-graze-ms=0\n');
  const server = await startServer({ listen: [], config: good });
  await healthy(server);
  await server.stop();
  const failed = await runServer(['--config', bad]);
  assert.equal(failed.code, EX_CONFIG, failed.log);
  assert.match(failed.log, /republish-graze-ms/);
  const missing = await runServer(['--config', path.join(folder, 'none.conf')]);
  assert.ok(missing.code >= EX_USAGE && missing.code <= EX_CONFIG, `exit code ${missing.code}`);
  assert.match(missing.log, /none\.conf/);
});

test('port 0 takes a free port and the ready line names it', async () => {
  const server = await startServer();
  assert.ok(server.port > 0);
  await healthy(server);
  await server.stop();
});

test('--listen can be repeated, with IPv4 and IPv6', async () => {
  const server = await startServer({ listen: ['127.0.0.1:0', '[::1]:0'] });
  assert.equal(server.addresses.length, 2, server.output[0]);
  await healthy(server, 0);
  await healthy(server, 1);
  assert.match(server.addresses[1], /^http:\/\/\[::1\]:\d+$/);
  const viewer = await watch(server, 'six', { address: 1 });
  assert.deepEqual(await viewer.message('waiting'), { type: 'waiting' });
  viewer.cut();
  await server.stop();
});

test('a busy port ends with EX_UNAVAILABLE and is named', async () => {
  const holder = net.createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address();
  const { code, output, log } = await runServer(['--listen', `127.0.0.1:${port}`]);
  holder.close();
  assert.equal(code, EX_UNAVAILABLE, log);
  assert.equal(output, '');
  assert.ok(log.includes(String(port)), log);
});

test('a port is free again as soon as the server has ended', async () => {
  const first = await startServer();
  const viewer = await watch(first, 'again');
  await first.stop();
  await viewer.closed();
  const second = await startServer({ listen: [`127.0.0.1:${first.port}`] });
  await healthy(second);
  await second.stop();
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`${signal} closes viewers and publishers with 1012 and ends with 0`, async () => {
    const server = await startServer();
    const capture = loadCapture('chrome-vp8-opus.webm');
    const publisher = await publish(server, 'live');
    await publisher.replay(capture, { to: 40 });
    const watching = await watch(server, 'live'), waiting = await watch(server, 'nobody');
    await watching.units();
    await waiting.message('waiting');
    await server.stop(signal);
    for (const peer of [watching, waiting, publisher])
      assert.equal((await peer.closed()).code, 1012);
  });
}

test('SIGTERM with nobody there ends with 0', async () => {
  await (await startServer()).stop();
});

test('SIGTERM does not wait for a viewer that reads nothing', async () => {
  const server = await startServer();
  const publisher = await publish(server, 'live');
  const viewer = await watch(server, 'live');
  viewer.socket.pause();
  for (let round = 0; round < 10; round++)
    await publisher.replay(loadCapture('chrome-vp8-720p.webm').cut(() => 100_000));
  await server.stop();
  viewer.cut();
});

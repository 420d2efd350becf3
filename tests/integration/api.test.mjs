// SPDX-License-Identifier: LGPL-2.1-or-later
// What the server tells of itself: the API, health, the log; and what it answers to what it does not know.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';

import { loadCapture } from '../lib/captures.mjs';
import { readSingle } from '../lib/matroska.mjs';
import { publish } from '../lib/publisher.mjs';
import { startServer } from '../lib/server.mjs';
import { shared, test } from '../lib/test.mjs';
import { watch } from '../lib/viewer.mjs';

const server = shared(() => startServer({ set: { 'republish-grace-ms': 200 } }), (one) => one.stop());
const vp8 = loadCapture('chrome-vp8-opus.webm');

const streamOf = async (id) => (await server()).json(`/api/v1/streams/${id}`);

/* All that was sent has been counted: the viewer has the blocks of the last chunk. */
async function allThere(viewer, chunks) {
  const blocks = readSingle(Buffer.concat(chunks.map((chunk) => chunk.data))).blocks.length;
  await viewer.until(() => viewer.epochs[0]?.header && readSingle(viewer.file()).blocks.length >= blocks, `${blocks} blocks`);
}

test('the list is empty at first', async () => {
  assert.deepEqual(await (await server()).json('/api/v1/streams'), { streams: [] });
});

test('a live stream is described: state, epoch, MIME, tracks, publisher, counts, ring', async () => {
  const before = Date.now();
  const publisher = await publish(await server(), 'api');
  const viewers = await Promise.all([1, 2].map(async () => watch(await server(), 'api')));
  const chunks = vp8.chunks.slice(0, 70);
  await publisher.replay(vp8, { to: 70 });
  await Promise.all(viewers.map((viewer) => allThere(viewer, chunks)));
  const one = await streamOf('api');
  assert.equal(one.id, 'api');
  assert.equal(one.state, 'live');
  assert.equal(one.epoch, 1);
  assert.equal(one.mime, 'video/webm; codecs="vp8,opus"');
  assert.equal(one.viewers, 2);
  assert.equal(one.chunks, 70);
  assert.equal(one.bytes, chunks.reduce((sum, { data }) => sum + data.length, 0));
  const blocks = readSingle(Buffer.concat(chunks.map(({ data }) => data))).blocks;
  const [video, audio] = ['video', 'audio'].map((kind) => one.tracks.find((track) => track.kind === kind));
  assert.deepEqual([video.codec, video.width, video.height, video.frames], ['vp8', 640, 360, blocks.filter(({ track }) => track === 1).length]);
  assert.deepEqual([audio.codec, audio.frames, audio.fillers, video.fillers], ['opus', blocks.filter(({ track }) => track === 2).length, 0, 0]);
  const keys = blocks.filter(({ track, key }) => track === 1 && key);
  assert.equal(video.sync_points, keys.length);
  assert.ok(Math.abs(one.keyframe_interval_ms - (keys.at(-1).time - keys.at(-2).time)) <= 1, `keyframe interval ${one.keyframe_interval_ms}`);
  const since = Date.parse(one.publisher.since);
  assert.ok(since >= before - 1000 && since <= Date.now(), one.publisher.since);
  assert.ok(one.ring.bytes > 0 && one.ring.bytes <= one.bytes * 1.2);
  assert.ok(one.ring.oldest_sync_age_ms >= 0 && one.ring.oldest_sync_age_ms <= Date.now() - before);

  const { streams } = await (await server()).json('/api/v1/streams');
  assert.deepEqual(streams.map(({ id }) => id), ['api']);
  assert.deepEqual(Object.keys(streams[0]).sort(), Object.keys(one).sort());

  // The bitrate is that of the last seconds: it comes with the chunks after those.
  let bitrate = 0;
  for (let seconds = 0; seconds < 5 && bitrate === 0; seconds++) {
    await publisher.send(vp8.chunks[70 + seconds].data);
    await publisher.message('stats', publisher.messages.length);
    ({ bitrate } = await streamOf('api'));
  }
  assert.ok(bitrate > 0);

  await publisher.end();
  await viewers[0].message('interrupted');
  const gone = await streamOf('api');
  assert.ok(['interrupted', 'ended'].includes(gone.state));
  assert.equal(gone.publisher, null);
  await viewers[0].message('ended');
  assert.equal((await streamOf('api')).state, 'ended');
  viewers.forEach((viewer) => viewer.cut());
});

test('sound alone has no picture\'s fields', async () => {
  const publisher = await publish(await server(), 'sound');
  const viewer = await watch(await server(), 'sound');
  await publisher.replay(loadCapture('chrome-opus.webm'));
  await viewer.units();
  const one = await streamOf('sound');
  assert.equal(one.mime, 'audio/webm; codecs="opus"');
  assert.deepEqual(one.tracks.map(({ kind, codec, rate }) => [kind, codec, rate]), [['audio', 'opus', 48000]]);
  await publisher.end();
  viewer.cut();
});

test('a stream with viewers only is waiting; one that nobody has to do with is not there', async () => {
  const viewer = await watch(await server(), 'waits');
  await viewer.message('waiting');
  const one = await streamOf('waits');
  assert.equal(one.state, 'waiting');
  assert.equal(one.epoch, 0);
  assert.equal(one.mime, null);
  assert.deepEqual(one.tracks, []);
  assert.equal(one.publisher, null);
  assert.equal(one.viewers, 1);
  const none = await (await server()).get('/api/v1/streams/none');
  assert.equal(none.status, 404);
  await none.text();
  viewer.cut();
});

test('/healthz is 200 and short', async () => {
  const response = await (await server()).get('/healthz');
  assert.equal(response.status, 200);
  assert.ok((await response.text()).length < 200);
});

test('pages and player come with their types, and nothing else is there', async () => {
  for (const [path, type] of [['/', 'text/html'], ['/broadcast', 'text/html'], ['/watch', 'text/html'], ['/broadcast/demo', 'text/html'],
    ['/watch/demo', 'text/html'], ['/relais-player.js', 'text/javascript'], ['/assets/relais.css', 'text/css'], ['/assets/icon.svg', 'image/svg+xml']]) {
    const response = await (await server()).get(path);
    assert.equal(response.status, 200, path);
    assert.ok(response.headers.get('content-type').startsWith(type), `${path}: ${response.headers.get('content-type')}`);
    assert.ok((await response.text()).length > 100, path);
    const head = await (await server()).get(path, { method: 'HEAD' });
    assert.equal(head.status, 200, `HEAD ${path}`);
  }
  for (const path of ['/nothing', '/assets/none.js', '/assets/../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '/assets/%2e%2e%2fx', '/api', '/api/v2/streams']) {
    const response = await (await server()).get(path);
    assert.ok([400, 404].includes(response.status), `${path}: ${response.status}`);
    await response.text();
  }
});

test('the player can be loaded by pages of other origins', async () => {
  for (const path of ['/relais-player.js', '/assets/player-element.js']) {
    const response = await (await server()).get(path);
    assert.equal(response.headers.get('access-control-allow-origin'), '*', path);
    await response.text();
  }
});

test('a method that an address does not have is refused', async () => {
  for (const [method, path] of [['POST', '/'], ['DELETE', '/healthz'], ['PUT', '/api/v1/streams']]) {
    const response = await (await server()).get(path, { method });
    assert.ok([404, 405, 501].includes(response.status), `${method} ${path}: ${response.status}`);
    await response.text();
  }
});

test('WebSocket addresses answer plain requests with a 4xx', async () => {
  for (const path of ['/live/demo', '/publish/demo']) {
    const response = await (await server()).get(path);
    assert.ok(response.status >= 400 && response.status < 500, `${path}: ${response.status}`);
    await response.text();
  }
});

/* Speaks to the server's port by hand; resolves with all it says until it ends or `enough` matches. */
async function raw(text, enough) {
  const socket = net.connect((await server()).port, '127.0.0.1');
  await once(socket, 'connect');
  let said = '';
  socket.write(text);
  for await (const data of socket) {
    said += data.toString('latin1');
    if (enough?.test(said))
      break;
  }
  socket.destroy();
  return said;
}

test('broken requests and handshakes are refused and harm nobody', async () => {
  const handshake = (lines) => `GET /live/raw HTTP/1.1\r\nHost: x\r\n${lines.join('\r\n')}\r\n\r\n`;
  const good = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];
  // The example of RFC 6455 section 1.3.
  assert.match(await raw(handshake(good), /\r\n\r\n/), /^HTTP\/1\.1 101 .*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/s);
  for (const missing of good) {
    const said = await raw(handshake(good.filter((line) => line !== missing)), /\r\n\r\n/);
    assert.match(said, /^HTTP\/1\.1 4\d\d /, `without ${missing}: ${said}`);
  }
  for (const path of ['/live/a%2fb', '/live/', '/live/a b', '/publish/%00', '/live/a/b']) {
    const said = await raw(handshake(good).replace('/live/raw', path), /\r\n\r\n/);
    assert.match(said, /^HTTP\/1\.[01] 4\d\d /, `${path}: ${said}`);
  }
  assert.match(await raw('nonsense\r\n\r\n', /\r\n/), /^(HTTP\/1\.[01] 4\d\d |$)/);
  assert.equal((await (await server()).get('/healthz')).status, 200);
});

test('the log tells one line an event, stream id first', async () => {
  const one = await server();
  const from = one.log.length;
  const viewer = await watch(one, 'journal');
  await viewer.message('waiting');
  const publisher = await publish(one, 'journal');
  await publisher.replay(vp8, { to: 30 });
  await viewer.units();
  const late = await watch(one, 'journal');
  await late.units();
  await late.leave();
  await publisher.end();
  await viewer.message('ended');
  await viewer.leave();
  for (const pattern of [
    /\bjournal\b.*viewer joined.*waits for the publisher/,
    /\bjournal\b.*publisher connected, 1 viewer waiting/,
    /\bjournal\b.*first chunk: 1067 bytes/,
    /\bjournal\b.*epoch 1: init segment captured, \d+ bytes, video\/webm; codecs="vp8,opus", .*640x360/,
    /\bjournal\b.*viewer joined.*\(2 now\).*\d+ bytes of header, starts at a keyframe \d+ ms old/,
    /\bjournal\b.*viewer left .*\d+ bytes.*1 left/,
    /\bjournal\b.*publisher gone/,
    /\bjournal\b.*ended/,
    /\bjournal\b.*viewer left .*0 left/,
    new RegExp(`\\bjournal\\b.*chunk #12\\b, ${vp8.chunks[11].data.length} bytes`),
  ])
    await one.waitLog(pattern, { from });
  for (const line of one.log.slice(from).filter((text) => text.includes('journal') && !text.includes('relais: GET')))
    assert.match(line, /^(<\d>)?([\d:.]+ )?(\w+ +)?journal: /, 'the stream id comes first');
});

test('at level info chunks are not logged, at error nothing is', async () => {
  for (const [level, expect] of [['info', /quiet/], ['error', undefined]]) {
    const own = await startServer({ logLevel: level });
    const viewer = await watch(own, 'quiet');
    const publisher = await publish(own, 'quiet');
    await publisher.replay(vp8, { to: 30 });
    await viewer.units();
    await publisher.end();
    await viewer.message('interrupted');
    viewer.cut();
    await own.stop();
    assert.ok(!own.log.some((line) => /chunk #\d/.test(line)), level);
    if (expect)
      assert.ok(own.log.some((line) => expect.test(line)));
    else
      assert.deepEqual(own.log, []);
  }
});

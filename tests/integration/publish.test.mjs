// SPDX-License-Identifier: LGPL-2.1-or-later
// What a publisher may send: any codec that relais carries, cut anywhere; and what it is told when it may not.

import assert from 'node:assert/strict';

import { generate, loadCapture, runTool } from '../lib/captures.mjs';
import { readSingle } from '../lib/matroska.mjs';
import { compareWithSource, judge } from '../lib/media.mjs';
import { Publisher, publish } from '../lib/publisher.mjs';
import { startServer } from '../lib/server.mjs';
import { random, shared, test } from '../lib/test.mjs';
import { watch } from '../lib/viewer.mjs';

const server = shared(() => startServer({ set: { 'republish-grace-ms': 100 } }), (one) => one.stop());

/* Publishes all of a capture to a viewer who is there from the start. */
async function through(capture, id, options) {
  const viewer = await watch(await server(), id);
  const publisher = await publish(await server(), id);
  await publisher.replay(capture);
  await publisher.end();
  await viewer.message('interrupted');
  viewer.cut();
  const judgement = await judge(viewer.file(), id);
  await compareWithSource(judgement, capture, id, options);
  return { viewer, judgement };
}

const CODECS = [
  { make: { video: 'vp8', audio: 'opus' }, mime: 'video/webm; codecs="vp8,opus"' },
  { make: { video: 'vp8', audio: 'vorbis' }, mime: 'video/webm; codecs="vp8,vorbis"' },
  { make: { video: 'vp9', audio: 'opus' }, mime: /^video\/webm; codecs="vp0?9[^,"]*,opus"$/ },
  { make: { video: 'av1', audio: 'opus' }, mime: /^video\/webm; codecs="av01[^,"]*,opus"$/ },
  { make: { video: 'h264', audio: 'opus' }, mime: /^video\/(x-)?matroska; codecs="avc1\.[0-9A-Fa-f]{6},opus"$/, options: { frames: true } },
  { make: { video: 'vp8', audio: null }, mime: 'video/webm; codecs="vp8"' },
  { make: { video: 'vp9', audio: null }, mime: /^video\/webm; codecs="vp0?9[^,"]*"$/ },
  { make: { video: null, audio: 'opus' }, mime: 'audio/webm; codecs="opus"' },
  { make: { video: null, audio: 'vorbis' }, mime: 'audio/webm; codecs="vorbis"' },
];

for (const { make, mime, options } of CODECS) {
  const name = [make.video, make.audio].filter(Boolean).join(' and ');
  test(`${name}, as ffmpeg makes it`, async () => {
    const capture = await generate(make);
    const { viewer } = await through(capture, `codec-${make.video}-${make.audio}`, options);
    const { init } = viewer.epochs[0];
    if (typeof mime === 'string')
      assert.equal(init.mime, mime);
    else
      assert.match(init.mime, mime);
    assert.deepEqual([...init.tracks].sort(), [make.audio && 'audio', make.video && 'video'].filter(Boolean));
  });
}

/* --- chunks cut anywhere ---------------------------------------------------------------------------------------------------------- */

const CUT = ['chrome-vp8-opus.webm', 'chrome-vp9-opus.webm', 'firefox-vp8-opus.webm', 'chrome-h264-opus.mkv'];
const optionsOf = (name) => name.includes('h264') ? { frames: true } : {};

for (const name of CUT) {
  test(`${name} in one chunk`, () => {
    const capture = loadCapture(name);
    return through(capture.cut(() => capture.data.length), `one-${name}`, optionsOf(name));
  });

  test(`${name} in chunks of random sizes from 1 byte to 30 KB`, () => {
    const next = random(7);
    return through(loadCapture(name).cut(() => 1 + next() ** 4 * 30000), `random-${name}`, optionsOf(name));
  });

  test(`${name} cut within each cluster and block head`, () => {
    // Every cut lies some bytes behind the start of an element.
    const capture = loadCapture(name);
    const cuts = readSingle(capture.data).blocks.map((block, index) => block.at + 1 + index % 6);
    let at = 0;
    return through(capture.cut(() => {
      const next = cuts.shift() ?? capture.data.length;
      const size = next - at;
      at = next;
      return size;
    }), `heads-${name}`, optionsOf(name));
  });
}

test('chrome-vp8.webm byte by byte', { limit: 240_000 }, async () => {
  const { viewer } = await through(loadCapture('chrome-vp8.webm').cut(() => 1), 'bytes');
  assert.ok(viewer.epochs[0].units.length > 50);
});

test('empty messages among the chunks change nothing', async () => {
  const capture = loadCapture('chrome-vp8-opus.webm');
  const viewer = await watch(await server(), 'empty');
  const publisher = await publish(await server(), 'empty');
  await publisher.replay(capture, { each: () => publisher.send(Buffer.alloc(0)) });
  await publisher.end();
  await viewer.message('interrupted');
  await compareWithSource(await judge(viewer.file(), 'empty'), capture, 'empty');
  viewer.cut();
});

/* --- what a publisher is told ------------------------------------------------------------------------------------------------------ */

test('ready names the stream; stats tell the viewers and bytes each second', async () => {
  const publisher = await publish(await server(), 'stats');
  assert.equal(publisher.messages[0].type, 'ready');
  assert.equal(publisher.messages[0].stream, 'stats');
  const viewers = await Promise.all([1, 2, 3].map(async () => watch(await server(), 'stats')));
  await publisher.replay(loadCapture('chrome-vp8-opus.webm'), { to: 50 });
  await Promise.all(viewers.map((viewer) => viewer.units()));
  const stats = await publisher.until(() => publisher.messages.find((one) => one.type === 'stats' && one.viewers === 3), 'stats with 3 viewers');
  assert.equal(typeof stats.bytes, 'number');
  assert.ok(stats.bytes > 0);
  await viewers[0].leave();
  await publisher.until(() => publisher.messages.find((one) => one.type === 'stats' && one.viewers === 2), 'stats with 2 viewers');
  await publisher.end();
  viewers.forEach((viewer) => viewer.cut());
});

test('a text message is answered and not fatal', async () => {
  const capture = loadCapture('chrome-vp8-opus.webm');
  const viewer = await watch(await server(), 'text');
  const publisher = await publish(await server(), 'text');
  await publisher.replay(capture, { to: 40 });
  const before = publisher.messages.length;
  for (const text of ['hello', '{"type":"from-the-future"}', '{', '']) {
    await publisher.send(text);
  }
  await publisher.until(() => publisher.messages.slice(before).some((one) => one.type !== 'stats'), 'an answer to text');
  await publisher.replay(capture, { from: 40 });
  assert.equal(publisher.close, undefined);
  await publisher.end();
  await viewer.message('interrupted');
  await compareWithSource(await judge(viewer.file(), 'text'), capture, 'text');
  viewer.cut();
});

test('a second publisher of a live id gets busy and 1008, the first goes on', async () => {
  const capture = loadCapture('chrome-vp8-opus.webm');
  const viewer = await watch(await server(), 'busy');
  const first = await publish(await server(), 'busy');
  await first.replay(capture, { to: 40 });
  const second = new Publisher(await server(), 'busy');
  const error = await second.message('error');
  assert.equal(error.code, 'busy');
  assert.notEqual(error.message, '');
  assert.equal((await second.closed()).code, 1008);
  await first.replay(capture, { from: 40 });
  await first.end();
  await viewer.message('interrupted');
  await compareWithSource(await judge(viewer.file(), 'busy'), capture, 'busy');
  viewer.cut();
});

test('a codec that relais cannot carry is refused by name, with 1003', async () => {
  for (const [codec, args, word] of [
    ['theora', ['-c:v', 'libtheora'], /theora/i],
    ['ffv1', ['-c:v', 'ffv1'], /video\/x-ffv/],
    ['flac', ['-vn', '-c:a', 'flac'], /flac/i],
  ]) {
    const data = await runTool('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=10', '-f', 'lavfi', '-i', 'sine', '-t', '1', ...args, ...args[0] === '-vn' ? [] : ['-an'],
      '-f', 'matroska', '-live', '1', 'pipe:1']);
    const publisher = await publish(await server(), `codec-${codec}`);
    await publisher.send(data);
    const error = await publisher.message('error');
    assert.equal(error.code, 'unsupported-codec', JSON.stringify(error));
    assert.match(error.message, word);
    assert.equal((await publisher.closed()).code, 1003);
  }
});

test('an id that is not valid is refused', async () => {
  for (const id of ['%20', 'a%2Fb', 'x'.repeat(65), 'ü', 'a/b', 'a%00']) {
    const publisher = new Publisher(await server(), id);
    await publisher.until(() => publisher.close || publisher.refused || publisher.error, `the refusal of ${id}`);
    if (publisher.refused)
      assert.ok(publisher.refused >= 400 && publisher.refused < 500, `${id}: status ${publisher.refused}`);
    else
      assert.equal((await publisher.closed()).code, 1008, id);
    assert.ok(!publisher.messages.some((one) => one.type === 'ready'), id);
  }
});

test('a publisher that connects and leaves without a byte leaves nothing behind', async () => {
  for (let round = 0; round < 20; round++) {
    const publisher = await publish(await server(), 'nothing');
    await publisher.end();
  }
  const capture = loadCapture('chrome-opus.webm');
  await through(capture, 'nothing');
});

test('what was sent before the close is delivered to the last block', async () => {
  // The last chunks and the close frame leave in one go; whoever drops the tail of the pipeline loses them.
  const capture = loadCapture('chrome-vp9-opus.webm').cut(() => 60_000);
  for (let round = 0; round < 5; round++)
    await through(capture, `tail-${round}`);
});

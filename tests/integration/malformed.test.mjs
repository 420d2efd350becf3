// SPDX-License-Identifier: LGPL-2.1-or-later
// Input that is broken, hostile or not Matroska at all: a clear error or a resync; never a crash, and never anyone else's loss.

import assert from 'node:assert/strict';

import { Capture, generate, loadCapture } from '../lib/captures.mjs';
import { readSingle } from '../lib/matroska.mjs';
import { checkStructure, compareWithSource, judge } from '../lib/media.mjs';
import { publish } from '../lib/publisher.mjs';
import { startServer } from '../lib/server.mjs';
import { random, shared, test } from '../lib/test.mjs';
import { watch } from '../lib/viewer.mjs';

const LIMITS = { 'header-max-bytes': 200_000, 'header-timeout-ms': 700, 'chunk-max-bytes': 2_000_000, 'republish-grace-ms': 50 };
const server = shared(() => startServer({ set: LIMITS }), (one) => one.stop());
const capture = loadCapture('chrome-vp8-opus.webm');
const parsed = readSingle(capture.data);
const header = capture.data.subarray(0, parsed.clusters[0].at);

/* Sends chunks and expects the error and the close that go with it. */
async function refused(id, chunks, code, close = 1003) {
  const publisher = await publish(await server(), id);
  for (const chunk of chunks) {
    if (publisher.socket.readyState !== 1)
      break;
    await publisher.send(chunk).catch(() => {});
  }
  const error = await publisher.message('error');
  if (code instanceof RegExp)
    assert.match(error.code, code);
  else
    assert.equal(error.code, code, JSON.stringify(error));
  assert.ok(error.message.length > 10, 'a person can read why');
  assert.equal((await publisher.closed()).code, close);
  return error;
}

/* Another stream, on the same server, before, during and after: it must not notice. */
async function besides(id, work) {
  const viewer = await watch(await server(), `${id}-besides`);
  const publisher = await publish(await server(), `${id}-besides`);
  const half = capture.chunks.length >> 1;
  await publisher.replay(capture, { to: half });
  await viewer.units();
  await work();
  await publisher.replay(capture, { from: half });
  await publisher.end();
  await viewer.message('interrupted');
  await compareWithSource(await judge(viewer.file(), `${id} besides`), capture, `${id} besides`);
  viewer.cut();
}

const next = random(11);
const noise = (bytes) => Buffer.from(Array.from({ length: bytes }, () => Math.floor(next() * 256)));

test('text, images and noise are not Matroska', () => besides('noise', async () => {
  await refused('noise-1', [Buffer.from('<!doctype html><title>no media</title>')], 'not-matroska');
  await refused('noise-2', [Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')], 'not-matroska');
  await refused('noise-3', [Buffer.concat([Buffer.from([0xff]), noise(5000)])], 'not-matroska');
  await refused('noise-4', [Buffer.from([0x1a, 0x45]), Buffer.from([0x00, 0x00]), noise(100)], 'not-matroska');
}));

test('an MP4 recording is not Matroska', () =>
  refused('mp4', [Buffer.concat([Buffer.from('0000001c667479706d703432', 'hex'), noise(400)])], 'not-matroska'));

test('an EBML header of another DocType is not Matroska', () =>
  refused('doctype', [Buffer.from('1a45dfa388' + '4282' + '85' + Buffer.from('other').toString('hex'), 'hex'), header.subarray(0, 100)], 'not-matroska'));

test('a stream that begins in the middle has no header', () =>
  refused('middle', [capture.data.subarray(parsed.clusters[3].at)], 'no-header'));

test('a stream that begins within a cluster is refused', () =>
  refused('within', [capture.data.subarray(parsed.clusters[3].at + 300)], /^(no-header|not-matroska)$/));

test('a header that never ends: by bytes', () => besides('endless', async () => {
  // A Void element that claims to be huge stands where Tracks should.
  const endless = Buffer.concat([header.subarray(0, 40), Buffer.from('ec08000000ffffffff', 'hex').subarray(0, 1), Buffer.from([0x10, 0xff, 0xff, 0xff])]);
  await refused('endless', [endless, ...Array.from({ length: 40 }, () => Buffer.alloc(10_000))], /^(header-too-large|not-matroska|corrupt)$/);
}));

test('a header that never ends: by time', () => besides('slow', async () => {
  await refused('slow', [header.subarray(0, 60)], 'header-timeout');
}));

test('100 MB of zeros', { limit: 240_000 }, () => besides('zeros', async () => {
  const zeros = Buffer.alloc(1_000_000);
  await refused('zeros', Array.from({ length: 100 }, () => zeros), 'not-matroska');
}));

test('100 MB of zeros after a good start', { limit: 240_000 }, () => besides('zeros-later', async () => {
  const id = 'zeros-later';
  const before = (await server()).usage();
  const viewer = await watch(await server(), id);
  const publisher = await publish(await server(), id);
  await publisher.replay(capture, { to: 40 });
  await viewer.units();
  const zeros = Buffer.alloc(1_000_000);
  for (let sent = 0; sent < 100 && publisher.socket.readyState === 1; sent++)
    await publisher.send(zeros).catch(() => {});
  // Either the server had enough of it, or it is still looking for the next cluster: then that is found.
  if (publisher.socket.readyState === 1) {
    await publisher.send(capture.data.subarray(parsed.clusters[60].at)).catch(() => {});
    await publisher.end();
  }
  await viewer.message('interrupted');
  await judge(viewer.file(), id);
  viewer.cut();
  const after = (await server()).usage();
  assert.ok(after.anonymous - before.anonymous < 150_000, `memory grew from ${before.anonymous} to ${after.anonymous} KiB`);
}));

test('a chunk over the limit is refused with 1009', () => besides('large', async () => {
  const publisher = await publish(await server(), 'large');
  await publisher.send(header);
  await publisher.send(Buffer.alloc(2_100_000)).catch(() => {});
  assert.equal((await publisher.closed()).code, 1009);
}));

test('a chunk of exactly the limit is taken', async () => {
  const big = loadCapture('chrome-vp8-720p.webm');
  assert.ok(big.data.length < LIMITS['chunk-max-bytes']);
  const viewer = await watch(await server(), 'fits');
  const publisher = await publish(await server(), 'fits');
  const void_ = Buffer.alloc(LIMITS['chunk-max-bytes'] - big.data.length);
  void_[0] = 0xec;
  void_.writeUInt32BE(0x10000000 + void_.length - 5, 1);
  await publisher.send(Buffer.concat([big.data, void_]));
  await publisher.end();
  await viewer.message('interrupted');
  await compareWithSource(await judge(viewer.file(), 'fits'), big, 'fits');
  viewer.cut();
});

/* What is broken on the way: the viewer's stream need not be whole, but what there is has to be well formed, in order and keyed. The
 * damage inside frames is not the server's to see, so ffmpeg's opinion of the pictures is not asked. */
async function survives(id, chunks) {
  const viewer = await watch(await server(), id);
  const publisher = await publish(await server(), id);
  for (const chunk of chunks) {
    if (publisher.socket.readyState !== 1)
      break;
    await publisher.send(chunk).catch(() => {});
  }
  const outcome = publisher.socket.readyState === 1 ? (await publisher.end(), 'to the end')
    : (await publisher.closed(), publisher.messages.find((one) => one.type === 'error')?.code ?? 'closed');
  if (publisher.close.code !== 1000 && publisher.close.code !== 1005)
    assert.ok([1003, 1009].includes(publisher.close.code), `close code ${publisher.close.code}`);
  if (viewer.epochs.length > 0)
    await viewer.message('interrupted');
  assert.equal(viewer.fault, undefined);
  for (const [index, epoch] of viewer.epochs.entries())
    if (epoch.units.length > 0)
      checkStructure(viewer.file(index + 1), `${id}, epoch ${index + 1}`, { damaged: true });
  viewer.cut();
  return outcome;
}

function tally(outcomes) {
  const counts = {};
  for (const one of outcomes)
    counts[one] = (counts[one] ?? 0) + 1;
  return Object.entries(counts).map(([what, n]) => `${n} ${what}`).join(', ');
}

for (const name of ['chrome-vp8-opus.webm', 'firefox-vp8-opus.webm', 'chrome-vp9-opus.webm', 'chrome-h264-opus.mkv', 'chrome-opus.webm']) {
  const whole = loadCapture(name);

  test(`${name} with random flips`, { limit: 240_000 }, (t) => besides(`flips-${name}`, async () => {
    const outcomes = [];
    for (let round = 0; round < 12; round++) {
      const data = Buffer.from(whole.data);
      for (let flips = 0; flips < 1 + round * 4; flips++)
        data[Math.floor(next() * data.length)] ^= 1 << Math.floor(next() * 8);
      let at = 0;
      outcomes.push(await survives(`flips-${round}-${name}`, whole.chunks.map((chunk) => data.subarray(at, at += chunk.data.length))));
    }
    t.diagnostic(`${name}, flips: ${tally(outcomes)}`);
  }));

  test(`${name} with dropped chunks`, { limit: 240_000 }, (t) => besides(`drops-${name}`, async () => {
    const outcomes = [];
    for (let round = 0; round < 6; round++) {
      const chunks = whole.chunks.filter((_, index) => index < 2 || next() > 0.1).map((chunk) => chunk.data);
      outcomes.push(await survives(`drops-${round}-${name}`, chunks));
    }
    t.diagnostic(`${name}, drops: ${tally(outcomes)}`);
  }));

  test(`${name} with truncated chunks`, { limit: 240_000 }, (t) => besides(`cut-${name}`, async () => {
    const outcomes = [];
    for (let round = 0; round < 6; round++) {
      const chunks = whole.chunks.map((chunk, index) => index < 2 || next() > 0.1 ? chunk.data
        : chunk.data.subarray(0, Math.floor(next() * chunk.data.length)));
      outcomes.push(await survives(`cut-${round}-${name}`, chunks));
    }
    t.diagnostic(`${name}, truncated: ${tally(outcomes)}`);
  }));
}

test('after dropped whole clusters the stream goes on and decodes', async () => {
  // Clusters are dropped from one keyframe to the next: what is left is a good stream with a hole.
  const whole = await generate({ audio: null, seconds: 4, gop: 20 });
  const { blocks, clusters, tracks } = readSingle(whole.data);
  const video = tracks.find((track) => track.type === 'video').number;
  const keys = clusters.filter((_, index) => {
    const first = blocks.find((block) => block.cluster === index);
    return first?.key && first.track === video;
  });
  assert.ok(keys.length >= 3, `${keys.length} clusters begin with a keyframe`);
  const viewer = await watch(await server(), 'hole');
  const publisher = await publish(await server(), 'hole');
  await publisher.send(whole.data.subarray(0, keys[1].at));
  await publisher.send(whole.data.subarray(keys[2].at));
  await publisher.end();
  await viewer.message('interrupted');
  const { file } = await judge(viewer.file(), 'hole');
  assert.ok(file.blocks.at(-1).time >= blocks.at(-1).time - 100, 'it goes on to the end');
  viewer.cut();
});

test('a cluster that claims to be an hour later: viewers stay, time does not go back, and all are told of the end', async () => {
  const whole = await generate({ seconds: 6, gop: 10 });
  const { clusters } = readSingle(whole.data);
  const data = Buffer.from(whole.data);
  // ffmpeg writes the Timestamp first (id E7, a size byte, the value); three clusters in the middle are moved, then all is as before.
  for (const { at, time } of clusters.slice(8, 11)) {
    const stamp = data.indexOf(0xe7, at + 4);
    const size = data[stamp + 1] & 0x7f;
    assert.equal(data.readUIntBE(stamp + 2, size), time);
    data.writeUIntBE(Math.min(time + 3_600_000, 256 ** size - 1), stamp + 2, size);
  }
  const jumping = new Capture('jumping', data, [{ at: 0, bytes: data.length }]).cut(() => 3000);
  const viewers = [await watch(await server(), 'jump')];
  const publisher = await publish(await server(), 'jump');
  await publisher.replay(jumping, { each: async (index) => {
    if (index % 20 === 19)
      viewers.push(await watch(await server(), 'jump'));
  } });
  await publisher.end();
  for (const [index, viewer] of viewers.entries()) {
    await viewer.message('interrupted');
    for (const [number, epoch] of viewer.epochs.entries())
      if (epoch.units.length > 0)
        checkStructure(viewer.file(number + 1), `jump, viewer ${index}, epoch ${number + 1}`);
    // What came after the jump is there, and not an hour later.
    const { blocks } = readSingle(viewer.file(viewer.epochs.length));
    assert.ok(blocks.at(-1).time < 20_000, `the last block is at ${blocks.at(-1).time} ms`);
    viewer.cut();
  }
});

test('publishers that break off anywhere leave nothing behind', async () => {
  const one = await server();
  const before = one.usage().descriptors;
  for (let round = 0; round < 40; round++) {
    const from = one.log.length;
    const publisher = await publish(one, `gone-${round % 4}`);
    await publisher.send(capture.data.subarray(0, Math.floor(next() * 40_000)));
    publisher.cut();
    // The id is free again as soon as the log says so.
    await one.waitLog(new RegExp(`gone-${round % 4}\\b.*publisher gone`), { from });
  }
  const viewer = await watch(one, 'gone-3');
  // The last one may have come as far as a header: then its stream has still to end.
  await viewer.until(() => viewer.types.some((type) => type === 'waiting' || type === 'ended'), 'waiting or ended');
  await one.waitLog(/gone-3\b.*ended/);
  viewer.cut();
  await one.waitLog(/gone-3\b.*viewer (left|gone)/);
  await one.descriptorsDownTo(before);
});

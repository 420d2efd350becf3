// SPDX-License-Identifier: LGPL-2.1-or-later
// What happens to a publisher, seen by a viewer that stays: its whole stream decodes, its times never go back, and nothing is missing
// that was accepted. (A plain return of the publisher, and new recordings of all kinds: epochs.test.mjs.)

import assert from 'node:assert/strict';

import { Capture, generate, loadCapture } from '../lib/captures.mjs';
import { startProxy } from '../lib/fault-proxy.mjs';
import { readSingle } from '../lib/matroska.mjs';
import { compareWithSource, judge, span } from '../lib/media.mjs';
import { Publisher, publish } from '../lib/publisher.mjs';
import { startServer } from '../lib/server.mjs';
import { shared, test } from '../lib/test.mjs';
import { watch } from '../lib/viewer.mjs';

const server = shared(() => startServer({ set: { 'publisher-silent-ms': 700 } }), (one) => one.stop());
const vp8 = loadCapture('chrome-vp8-opus.webm');
const vp9 = loadCapture('chrome-vp9-opus.webm');

/* The first `count` chunks of a capture as one of its own. */
function head(capture, count) {
  const chunks = capture.chunks.slice(0, count);
  return new Capture(`${capture.name} to ${count}`, Buffer.concat(chunks.map((chunk) => chunk.data)),
    chunks.map(({ at, data }) => ({ at, bytes: data.length })));
}

/* Each epoch of a viewer is right by itself, and none begins before the one before ended. Resolves with their judgements. */
async function rightTimes(viewer, what) {
  const judgements = [];
  for (let epoch = 1; epoch <= viewer.epochs.length; epoch++) {
    judgements.push(await judge(viewer.file(epoch), `${what}, epoch ${epoch}`));
    if (epoch > 1)
      assert.ok(span(judgements.at(-1)).first >= span(judgements.at(-2)).last, `${what}: epoch ${epoch} begins before the one before ended`);
  }
  return judgements;
}

/** Resolves when the server counts so many bytes as received: what a cable may still hold is not accepted yet. */
function accepted(publisher, bytes) {
  return publisher.until(() => publisher.messages.some((one) => one.type === 'stats' && one.bytes === bytes), 'all of it to be accepted');
}

for (const fault of ['cut', 'reset', 'halfOpen']) {
  test(`the publisher's connection fails (${fault}): what was accepted is delivered, then interrupted, then the next epoch`, async (t) => {
    const id = `fault-${fault}`;
    const proxy = await startProxy(await server());
    t.after(() => proxy.close());
    const viewer = await watch(await server(), id);
    const first = await publish(proxy, id);
    const sent = head(vp8, 60);
    await first.replay(sent);
    await accepted(first, sent.data.length);
    const begun = performance.now();
    proxy[fault]();
    if (fault === 'halfOpen') {
      // Until it counts as gone, the id is taken.
      const refused = new Publisher(await server(), id);
      assert.equal((await refused.closed()).code, 1008);
    }
    await viewer.message('interrupted');
    t.diagnostic(`${fault}: interrupted after ${Math.round(performance.now() - begun)} ms`);
    const second = await publish(await server(), id);
    await second.replay(vp8);
    await second.end();
    await viewer.message('interrupted', 2);
    assert.ok(!viewer.types.includes('ended'));
    const [one, two] = await rightTimes(viewer, id);
    await compareWithSource(one, sent, `${id}, epoch 1`);
    await compareWithSource(two, vp8, `${id}, epoch 2`);
    viewer.cut();
  });
}

test('a takeover: the old publisher is told, what it sent is delivered, the new one is the next epoch', async () => {
  const own = await startServer({ set: { 'publisher-conflict': 'takeover' } });
  const viewer = await watch(own, 'takeover');
  const publishers = [];
  const captures = [vp8, vp9, vp8];
  for (const capture of captures) {
    const publisher = await publish(own, 'takeover');
    if (publishers.length > 0) {
      const { code } = await publishers.at(-1).closed();
      assert.equal(code, 1008);
      assert.equal(publishers.at(-1).messages.at(-1).code, 'busy');
    }
    publishers.push(publisher);
    await publisher.replay(capture);
    // A new publisher takes over only what has been read: the old one's bytes are all counted.
    await accepted(publisher, capture.data.length);
  }
  await publishers.at(-1).end();
  await viewer.until(() => viewer.epochs.length === 3 && viewer.types.at(-1) === 'interrupted', 'the end of the third');
  const judgements = await rightTimes(viewer, 'takeover');
  for (const [index, capture] of captures.entries())
    await compareWithSource(judgements[index], capture, `takeover, epoch ${index + 1}`);
  viewer.cut();
  await own.stop();
});

for (const [what, extra, kind] of [
  ['pictures', ['-vf', "select='lt(t,2)+gt(t,6)'", '-fps_mode', 'passthrough'], 'video'],
  ['sounds', ['-af', "aselect='lt(t,2)+gt(t,6)'"], 'audio'],
]) {
  for (const video of ['vp8', 'vp9', 'av1']) {
    test(`${video}, the ${what} pause for 4 s: fillers, and everything that was published`, async (t) => {
      const id = `quiet-${kind}-${video}`;
      const capture = (await generate({ video, size: '160x120', seconds: 8, gop: 9999, extra })).inTime();
      const viewer = await watch(await server(), id);
      const publisher = await publish(await server(), id);
      await publisher.replay(capture);
      await publisher.end();
      await viewer.message('interrupted');
      const { tracks } = await (await server()).json(`/api/v1/streams/${id}`);
      assert.equal(viewer.epochs.length, 1, 'no epoch without the quiet track');
      const [judgement] = await rightTimes(viewer, id);
      const filled = Object.fromEntries(tracks.map((track) => [track.kind, track.fillers]));
      await compareWithSource(judgement, capture, id, { extra: filled, shift: 400 });
      const fillers = filled[kind];
      const { packets } = judgement.probe.streams[kind];
      const widest = Math.max(...packets.slice(1).map((packet, index) => packet.ms - packets[index].ms));
      t.diagnostic(`${fillers} fillers, blocks of the quiet track at most ${widest} ms apart`);
      assert.ok(fillers > 10);
      assert.ok(widest <= 400, `the track is quiet for ${widest} ms`);
      viewer.cut();
    });
  }
}

/* The recording of a publisher whose clock is set to each of `offsets` (seconds) in turn, in one recording with one header. */
async function jumping(offsets) {
  const parts = await Promise.all(offsets.map((offset) => generate({ seconds: 3, extra: ['-output_ts_offset', String(offset)] })));
  const pieces = parts.map(({ data }, index) => index === 0 ? data : data.subarray(readSingle(data).clusters[0].at));
  return { parts, data: Buffer.concat(pieces) };
}

for (const [what, offsets] of [
  ['jumps an hour ahead', [0, 3600]],
  ['goes back to zero', [60, 0]],
  ['goes back and forth', [100, 0, 200, 0, 86_400]],
  ['is past what 32 bits of milliseconds hold', [4_294_960, 4_294_970]],
]) {
  test(`the publisher's clock ${what}: times go on, nothing is lost`, async (t) => {
    const id = `clock-${what.replaceAll(' ', '-')}`;
    const { parts, data } = await jumping(offsets);
    const capture = new Capture(id, data, [{ at: 0, bytes: data.length }]).cut(() => 5000);
    const viewer = await watch(await server(), id);
    const publisher = await publish(await server(), id);
    await publisher.replay(capture);
    await publisher.end();
    await viewer.message('interrupted');
    const judgements = await rightTimes(viewer, id);
    const blocks = judgements.flatMap((judgement) => judgement.file.blocks);
    const hashes = new Map();
    for (const block of blocks) {
      const key = block.data.toString('latin1');
      hashes.set(key, (hashes.get(key) ?? 0) + 1);
    }
    // A stream begins with its first keyframe, also for who was there before.
    const video = readSingle(data).tracks.find((track) => track.type === 'video').number;
    const all = parts.flatMap((part) => readSingle(part.data).blocks);
    const published = all.slice(all.findIndex((block) => block.track === video));
    const missing = published.filter((block) => {
      const key = block.data.toString('latin1');
      const left = hashes.get(key) ?? 0;
      hashes.set(key, left - 1);
      return left <= 0;
    });
    const { first, last } = { first: span(judgements[0]).first, last: span(judgements.at(-1)).last };
    t.diagnostic(`${viewer.epochs.length} epochs, from ${first} to ${last} ms; ${blocks.length} blocks of ${published.length}`);
    assert.equal(missing.length, 0, `${missing.length} blocks are missing, the first at ${missing[0]?.time} ms`);
    viewer.cut();
  });
}

test('a group of pictures larger than the ring: who joins is told to wait, and nobody gets broken data', async () => {
  const own = await startServer({ set: { 'ring-max-bytes': 100_000 } });
  const [long, short] = [await generate({ seconds: 10, gop: 9999 }), await generate({ seconds: 4, gop: 20 })];
  assert.ok(long.data.length > 300_000);
  const early = await watch(own, 'gop');
  const publisher = await publish(own, 'gop');
  let sent = 0;
  await publisher.replay(long, { each: async (index) => {
    await early.until(() => early.bytes > sent - 40_000, 'the viewer that keeps up');
    sent += long.chunks[index].data.length;
  } });
  const lates = await Promise.all([0, 1].map(() => watch(own, 'gop')));
  for (const late of lates)
    assert.deepEqual(await late.message('waiting'), { type: 'waiting', reason: 'keyframe' });
  const { ring } = await own.json('/api/v1/streams/gop');
  assert.ok(ring.sync_points_lost >= 1);
  assert.equal(ring.newest_sync_age_ms, -1);
  assert.ok(own.log.some((line) => /gop\b.*(ring|group of pictures)/.test(line)), own.tail());
  let sentOfShort = 0;
  await publisher.replay(short, { each: async (index) => {
    await early.until(() => early.bytes > sent + sentOfShort - 40_000, 'the viewer that keeps up');
    for (const late of lates)
      await late.until(() => late.bytes > sentOfShort - 40_000, 'a viewer that joined late');
    sentOfShort += short.chunks[index].data.length;
  } });
  await publisher.end();
  for (const viewer of [early, ...lates])
    await viewer.message('interrupted');
  const [one, two] = await rightTimes(early, 'gop, early');
  await compareWithSource(one, long, 'gop, early, epoch 1');
  await compareWithSource(two, short, 'gop, early, epoch 2');
  for (const late of lates) {
    assert.equal(late.epochs.length, 1);
    const [judgement] = await rightTimes(late, 'gop, late');
    await compareWithSource(judgement, short, 'gop, late');
  }
  for (const viewer of [early, ...lates])
    viewer.cut();
  await own.stop();
});

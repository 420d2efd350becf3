// SPDX-License-Identifier: LGPL-2.1-or-later
// The scenes of a broadcast, one test each: who comes when, and what they are told.

import assert from 'node:assert/strict';

import { loadCapture } from '../lib/captures.mjs';
import { compareWithSource, judge, source } from '../lib/media.mjs';
import { publish } from '../lib/publisher.mjs';
import { startServer } from '../lib/server.mjs';
import { shared, test } from '../lib/test.mjs';
import { watch } from '../lib/viewer.mjs';

const server = shared(() => startServer({ set: { 'republish-grace-ms': 300 } }), (one) => one.stop());
const vp8 = loadCapture('chrome-vp8-opus.webm');

async function right(viewer, capture, what) {
  const judgement = await judge(viewer.file(), what);
  return { ...judgement, ...await compareWithSource(judgement, capture, what) };
}

test('a viewer before the broadcaster waits, then gets everything', async () => {
  const viewer = await watch(await server(), 'before');
  assert.deepEqual(await viewer.message('waiting'), { type: 'waiting' });
  assert.equal(viewer.bytes, 0);
  const publisher = await publish(await server(), 'before');
  await publisher.replay(vp8);
  await publisher.end();
  await viewer.message('interrupted');
  const { startsAt } = await right(viewer, vp8, 'before');
  assert.equal(startsAt, 0, 'from the first packet on');
  assert.deepEqual(viewer.types.slice(0, 2), ['waiting', 'init']);
  viewer.cut();
});

test('the init message tells epoch, MIME, tracks and length', async () => {
  const publisher = await publish(await server(), 'init');
  const viewer = await watch(await server(), 'init');
  await publisher.replay(vp8, { to: 10 });
  const init = await viewer.message('init');
  assert.equal(init.epoch, 1);
  assert.equal(init.mime, 'video/webm; codecs="vp8,opus"');
  assert.deepEqual([...init.tracks].sort(), ['audio', 'video']);
  await viewer.units();
  assert.equal(viewer.epochs[0].header.length, init.bytes);
  await publisher.end();
  viewer.cut();
});

test('a viewer after the broadcaster starts at the latest keyframe at once, with no new data', async () => {
  const publisher = await publish(await server(), 'after');
  const early = await watch(await server(), 'after');
  await publisher.replay(vp8, { to: 70 });
  // The chunk that was sent last has arrived: everything before it is in the ring.
  const { probe } = await source({ name: 'partial', data: Buffer.concat(vp8.chunks.slice(0, 69).map((chunk) => chunk.data)) });
  const keys = probe.streams.video.packets.filter((packet) => packet.key);
  await early.until(() => early.bytes > 0.97 * probe.streams.video.packets.reduce((sum, packet) => sum + packet.size, 0), 'the early viewer');
  const late = await watch(await server(), 'after');
  await late.units();
  await publisher.replay(vp8, { from: 70 });
  await publisher.end();
  await Promise.all([early, late].map((viewer) => viewer.message('interrupted')));
  const { startsAt } = await right(late, vp8, 'after');
  assert.equal(startsAt, keys.at(-1).index, 'the late viewer starts at the newest keyframe');
  assert.equal((await right(early, vp8, 'after, early')).startsAt, 0);
  early.cut();
  late.cut();
});

test('several viewers at different moments each start at a keyframe and end together', async () => {
  const publisher = await publish(await server(), 'several');
  const viewers = [];
  await publisher.replay(vp8, { each: async (index) => {
    if (index % 13 !== 0)
      return;
    // The socket has taken the chunks before this one; the server shall have, too.
    if (index > 0)
      await (await server()).waitLog(new RegExp(`several: chunk #${index},`));
    viewers.push(await watch(await server(), 'several'));
  } });
  await publisher.end();
  assert.ok(viewers.length >= 8);
  const starts = [];
  for (const viewer of viewers) {
    await viewer.message('interrupted');
    starts.push((await right(viewer, vp8, `viewer ${starts.length} of several`)).startsAt);
    viewer.cut();
  }
  assert.deepEqual(starts, [...starts].sort((one, two) => one - two), 'who comes later starts later');
  assert.ok(starts.at(-1) > starts[0]);
});

test('the first chunk is tiny (1 byte)', async () => {
  const capture = loadCapture('chrome-vp8-720p.webm');
  assert.equal(capture.chunks[0].data.length, 1);
  const viewer = await watch(await server(), 'tiny');
  const publisher = await publish(await server(), 'tiny');
  await publisher.replay(capture);
  await publisher.end();
  await viewer.message('interrupted');
  assert.equal((await right(viewer, capture, 'tiny')).startsAt, (await source(capture)).probe.streams.video.packets[0].index);
  viewer.cut();
});

test('the broadcaster leaves: interrupted, then ended after the grace; the viewer stays', async () => {
  const publisher = await publish(await server(), 'leaves');
  const viewer = await watch(await server(), 'leaves');
  await publisher.replay(vp8, { to: 30 });
  await viewer.units();
  await publisher.end();
  await viewer.message('interrupted');
  await viewer.message('ended');
  assert.deepEqual(viewer.types.filter((type) => type !== 'waiting'), ['init', 'interrupted', 'ended']);
  assert.equal(viewer.close, undefined, 'the connection stays');
  // And it is as good as one that waits: the next broadcast reaches it.
  const next = await publish(await server(), 'leaves');
  await next.replay(vp8);
  await next.end();
  await viewer.message('interrupted', 2);
  await compareWithSource(await judge(viewer.file(2), 'after the end'), vp8, 'after the end');
  viewer.cut();
});

test('the broadcaster breaks off without a close frame: what it sent is delivered, then interrupted', async () => {
  const publisher = await publish(await server(), 'breaks');
  const viewer = await watch(await server(), 'breaks');
  await publisher.replay(vp8, { to: 60 });
  await viewer.units(2);
  publisher.cut();
  await viewer.message('interrupted');
  await judge(viewer.file(), 'broken off');
  await viewer.message('ended');
  viewer.cut();
});

test('a viewer that ignores text messages and appends every binary one has a file that plays', async () => {
  const publisher = await publish(await server(), 'plain');
  await publisher.replay(vp8, { to: 50 });
  const viewer = await watch(await server(), 'plain');
  await viewer.units();
  await publisher.replay(vp8, { from: 50 });
  await publisher.end();
  await viewer.message('interrupted');
  const bytes = Buffer.concat(viewer.messages.filter((one) => one.data).map((one) => one.data));
  await compareWithSource(await judge(bytes, 'plain'), vp8, 'plain');
  viewer.cut();
});

test('a viewer may send anything of the protocol\'s future and still watches', async () => {
  const viewer = await watch(await server(), 'hello');
  for (const text of ['{"type":"hello","accept":["video/webm; codecs=\\"vp8,opus\\""]}', '{"type":"from-the-future","x":[1]}'])
    viewer.socket.send(text);
  const publisher = await publish(await server(), 'hello');
  await publisher.replay(vp8);
  await publisher.end();
  await viewer.message('interrupted');
  await right(viewer, vp8, 'hello');
  viewer.cut();
});

test('streams do not mix', async () => {
  const other = loadCapture('chrome-vp9-opus.webm');
  const [one, two] = await Promise.all(['mix-1', 'mix-2'].map(async (id) => publish(await server(), id)));
  const [first, second] = await Promise.all(['mix-1', 'mix-2'].map(async (id) => watch(await server(), id)));
  await Promise.all([one.replay(vp8), two.replay(other)]);
  await Promise.all([one.end(), two.end()]);
  await Promise.all([first, second].map((viewer) => viewer.message('interrupted')));
  await right(first, vp8, 'mix-1');
  await right(second, other, 'mix-2');
  first.cut();
  second.cut();
});

// SPDX-License-Identifier: LGPL-2.1-or-later
// The publisher comes back, or begins a new recording: the next epoch of the same stream, on the viewers' same connections.

import assert from 'node:assert/strict';

import { generate, loadCapture } from '../lib/captures.mjs';
import { compareWithSource, judge, span } from '../lib/media.mjs';
import { publish } from '../lib/publisher.mjs';
import { startServer } from '../lib/server.mjs';
import { shared, test } from '../lib/test.mjs';
import { watch } from '../lib/viewer.mjs';

/* The grace is long enough that it never ends within a test, and short in the one that waits for its end. */
const server = shared(() => startServer(), (one) => one.stop());
const vp8 = loadCapture('chrome-vp8-opus.webm');
const vp9 = loadCapture('chrome-vp9-opus.webm');
const firefox = loadCapture('firefox-vp8-opus.webm');
const soundOnly = loadCapture('chrome-opus.webm');

/* Every epoch is right by itself, holds all of its capture, and goes on in time where the one before ended. */
async function rightEpochs(viewer, captures, what) {
  assert.equal(viewer.epochs.length, captures.length, `${what}: epochs`);
  let last = -Infinity;
  const spans = [];
  for (const [index, capture] of captures.entries()) {
    const name = `${what}, epoch ${index + 1}`;
    const judgement = await judge(viewer.file(index + 1), name);
    const { startsAt } = await compareWithSource(judgement, capture, name);
    if (index > 0)
      assert.ok(startsAt <= 1, `${name}: from its first keyframe on`);
    const times = span(judgement);
    assert.ok(times.first >= last, `${name}: begins at ${times.first} ms, the one before ended at ${last}`);
    if (index > 0)
      assert.ok(times.first - last < 1000, `${name}: a hole of ${times.first - last} ms`);
    last = times.last;
    spans.push(times);
  }
  const numbers = viewer.epochs.map((epoch) => epoch.init.epoch);
  assert.deepEqual(numbers, numbers.map((_, index) => numbers[0] + index), `${what}: epochs are counted`);
  return spans;
}

for (const [what, captures] of [
  ['the same codecs', [vp8, vp8]],
  ['another browser', [vp8, firefox, vp8]],
  ['other codecs', [vp8, vp9, vp8]],
  ['other tracks', [vp8, soundOnly, vp9]],
]) {
  test(`republish within the grace: ${what}`, async (t) => {
    const id = `republish-${what.replaceAll(' ', '-')}`;
    const viewer = await watch(await server(), id);
    for (const [index, capture] of captures.entries()) {
      const publisher = await publish(await server(), id);
      await publisher.replay(capture);
      await publisher.end();
      await viewer.message('interrupted', index + 1);
    }
    const spans = await rightEpochs(viewer, captures, id);
    t.diagnostic(spans.map(({ first, last }) => `${first} to ${last} ms`).join(', '));
    assert.ok(!viewer.types.includes('ended'));
    viewer.cut();
  });

  test(`a new recording on the same connection: ${what}`, async () => {
    const id = `again-${what.replaceAll(' ', '-')}`;
    const viewer = await watch(await server(), id);
    const publisher = await publish(await server(), id);
    for (const capture of captures)
      await publisher.replay(capture);
    await publisher.end();
    await viewer.message('interrupted');
    await rightEpochs(viewer, captures, id);
    assert.equal(viewer.types.filter((type) => type === 'interrupted').length, 1, 'nobody was interrupted in between');
    viewer.cut();
  });
}

test('the publisher breaks off in the middle and comes back', async () => {
  const viewer = await watch(await server(), 'breaks');
  const first = await publish(await server(), 'breaks');
  await first.replay(vp8, { to: 60 });
  await viewer.units(2);
  first.cut();
  await viewer.message('interrupted');
  const second = await publish(await server(), 'breaks');
  await second.replay(vp8);
  await second.end();
  await viewer.message('interrupted', 2);
  const [one, two] = [await judge(viewer.file(1), 'breaks 1'), await judge(viewer.file(2), 'breaks 2')];
  await compareWithSource(two, vp8, 'breaks 2');
  assert.ok(span(two).first >= span(one).last);
  viewer.cut();
});

test('a late viewer of a later epoch gets that one only', async () => {
  for (let round = 0; round < 3; round++) {
    const publisher = await publish(await server(), 'later');
    await publisher.replay(vp8, { to: round === 2 ? 70 : undefined });
    if (round < 2) {
      await publisher.end();
      continue;
    }
    // Before that the newest keyframe is the second epoch's.
    await (await server()).waitLog(/\blater: epoch 3\b/);
    const viewer = await watch(await server(), 'later');
    await viewer.units();
    await publisher.replay(vp8, { from: 70 });
    await publisher.end();
    await viewer.message('interrupted');
    assert.equal(viewer.epochs.length, 1);
    assert.equal(viewer.epochs[0].init.epoch, 3);
    const judgement = await judge(viewer.file(), 'later');
    const { offset } = await compareWithSource(judgement, vp8, 'later');
    assert.ok(offset > 2 * (vp8.duration - 1000), `the third epoch's times are moved by ${offset} ms`);
    viewer.cut();
  }
});

test('a viewer that joins while the publisher is away gets its next recording', async () => {
  const first = await publish(await server(), 'away');
  const early = await watch(await server(), 'away');
  await first.replay(vp8);
  await first.end();
  await early.message('interrupted');
  const viewer = await watch(await server(), 'away');
  await viewer.message('waiting');
  const second = await publish(await server(), 'away');
  await second.replay(vp9);
  await second.end();
  await viewer.message('interrupted');
  const { init } = viewer.epochs.at(-1);
  assert.equal(init.epoch, 2);
  await compareWithSource(await judge(viewer.file(viewer.epochs.length), 'away'), vp9, 'away');
  early.cut();
  viewer.cut();
});

test('the end of the grace ends the stream; the next broadcast starts it anew', async () => {
  const own = await startServer({ set: { 'republish-grace-ms': 50 } });
  const viewer = await watch(own, 'anew');
  for (let round = 1; round <= 3; round++) {
    const publisher = await publish(own, 'anew');
    await publisher.replay(vp8);
    await publisher.end();
    await viewer.message('ended', round);
  }
  for (let round = 1; round <= 3; round++)
    await compareWithSource(await judge(viewer.file(round), `anew ${round}`), vp8, `anew ${round}`);
  viewer.cut();
  await own.stop();
});

test('a new recording with another size', async () => {
  const [small, large] = [await generate({ size: '160x120', seconds: 2 }), await generate({ size: '640x480', seconds: 2 })];
  const viewer = await watch(await server(), 'size');
  const publisher = await publish(await server(), 'size');
  for (const capture of [small, large, small])
    await publisher.replay(capture);
  await publisher.end();
  await viewer.message('interrupted');
  await rightEpochs(viewer, [small, large, small], 'size');
  viewer.cut();
});

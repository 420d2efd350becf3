// SPDX-License-Identifier: LGPL-2.1-or-later
// Hundreds of viewers who join at random moments: whatever the moment, a header, a keyframe, and no packet lost after it.

import assert from 'node:assert/strict';

import { generate, loadCapture } from '../lib/captures.mjs';
import { compareWithSource, judge } from '../lib/media.mjs';
import { publish } from '../lib/publisher.mjs';
import { startServer } from '../lib/server.mjs';
import { random, shared, test } from '../lib/test.mjs';
import { Viewer } from '../lib/viewer.mjs';

const server = shared(() => startServer({ logLevel: 'info' }), (one) => one.stop());
const SEED = Number(process.env.RELAIS_TEST_SEED ?? 20241122);
const JOINS = 240;

async function joinAtRandom(capture, id, joins, pace) {
  const next = random(SEED);
  const viewers = [];
  const moments = Array.from({ length: joins }, () => Math.floor(next() * capture.chunks.length)).sort((one, two) => one - two);
  const publisher = await publish(await server(), id);
  const one = await server();
  await publisher.replay(capture, { pace, each: async (index) => {
    while (moments[viewers.length] === index) {
      const viewer = new Viewer(one, id);
      viewers.push(viewer);
      // At its own timing nothing is awaited: handshakes and chunks cross as they like. At full speed all would be over before
      // the first handshake.
      if (pace === 'full')
        await viewer.until(() => viewer.opened, 'the handshake');
    }
  } });
  await Promise.all(viewers.map((viewer) => viewer.message('init')));
  await publisher.end();
  await Promise.all(viewers.map((viewer) => viewer.message('interrupted')));
  const starts = new Map();
  for (const [index, viewer] of viewers.entries()) {
    const what = `${id}, join ${index} at chunk ${moments[index]}, seed ${SEED}`;
    assert.deepEqual(viewer.epochs[0].drops, [], what);
    const { startsAt } = await compareWithSource(await judge(viewer.file(), what), capture, what);
    starts.set(startsAt, (starts.get(startsAt) ?? 0) + 1);
    viewer.cut();
  }
  return { viewers, starts };
}

test(`${JOINS} joins at random moments`, { limit: 300_000 }, async (t) => {
  const capture = await generate({ video: 'vp8', audio: 'opus', seconds: 12, rate: 20, gop: 10 });
  const { viewers, starts } = await joinAtRandom(capture, 'random', JOINS, 'own');
  assert.equal(viewers.length, JOINS);
  t.diagnostic(`${JOINS} joins started at ${starts.size} different keyframes`);
  assert.ok(starts.size >= 12, `only ${starts.size} different starts`);
});

for (const name of ['chrome-vp8-opus.webm', 'chrome-vp8-720p.webm', 'chrome-vp9-opus.webm', 'firefox-vp8-opus.webm', 'chrome-opus.webm']) {
  test(`60 joins at random moments of ${name} at full speed, cut in random chunks`, { limit: 300_000 }, async (t) => {
    const next = random(SEED);
    const capture = loadCapture(name).cut(() => 1 + next() ** 3 * 20000);
    const { starts } = await joinAtRandom(capture, `random-${name}`, 60, 'full');
    t.diagnostic(`${name}: ${starts.size} different starts`);
  });
}

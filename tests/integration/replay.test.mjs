// SPDX-License-Identifier: LGPL-2.1-or-later
// Every capture of a real browser, at its own timing and at full speed, seen by viewers who join before, at several moments, and late.

import assert from 'node:assert/strict';

import { MATROSKA_CAPTURES, loadCapture } from '../lib/captures.mjs';
import { readMatroska } from '../lib/matroska.mjs';
import { compareWithSource, judge } from '../lib/media.mjs';
import { publish } from '../lib/publisher.mjs';
import { startServer } from '../lib/server.mjs';
import { shared, test, within } from '../lib/test.mjs';
import { watch } from '../lib/viewer.mjs';

/* Chromium's H.264 changes its layout on the way (Annex B to AVC): its pictures are compared. The capture whose video stops gets
 * repeat frames: everything published must be there, and what is more than that is counted. */
const OPTIONS = {
  'chrome-h264-opus.mkv': { frames: true },
  'chrome-vp8-videostop.webm': { extra: { video: Infinity } },
};

const server = shared(() => startServer({ set: { 'republish-grace-ms': 100 } }), (one) => one.stop());

/* One replay with viewers before it and at some moments of it; resolves with the viewers once they are told of its end. */
async function replay(name, pace) {
  const capture = loadCapture(name);
  const id = `${pace}-${name}`;
  const viewers = [await watch(await server(), id)];
  const publisher = await publish(await server(), id);
  const moments = [1, Math.round(capture.chunks.length * 0.3), Math.round(capture.chunks.length * 0.6), capture.chunks.length - 3];
  await publisher.replay(capture, { pace, each: async (index) => {
    if (moments.includes(index))
      viewers.push(await watch(await server(), id));
  } });
  assert.deepEqual(publisher.messages.filter((one) => !['ready', 'stats'].includes(one.type)), []);
  await publisher.end();
  await Promise.all(viewers.map((viewer) => viewer.message('interrupted')));
  viewers.forEach((viewer) => viewer.cut());
  return { capture, viewers };
}

/* At their own timing all of them run at once, from the first test on: it takes as long as the longest. */
const allAtOwnTiming = shared(() => new Map(MATROSKA_CAPTURES.map((name) => {
  const result = replay(name, 'own');
  result.catch(() => {});
  return [name, result];
})), () => {});

for (const pace of ['own', 'full']) {
  for (const name of MATROSKA_CAPTURES) {
    test(`${name}, ${pace === 'own' ? 'at its own timing' : 'at full speed'}`, async (t) => {
      const { capture, viewers } = pace === 'own' ? await within((await allAtOwnTiming()).get(name), `the replay of ${name}`, 60_000) : await replay(name, pace);
      const starts = [];
      for (const [index, viewer] of viewers.entries()) {
        const what = `viewer ${index} of ${name} (${pace})`;
        assert.equal(viewer.epochs.length, 1, `${what}: epochs`);
        const { startsAt } = await compareWithSource(await judge(viewer.file(), what), capture, what, OPTIONS[name]);
        starts.push(startsAt);
      }
      assert.deepEqual(starts, [...starts].sort((one, two) => one - two), 'who comes later starts later');
      t.diagnostic(`${name}: ${viewers.length} viewers start at packets ${starts.join(', ')}`);
    });
  }
}

test('chrome-vp8-videostop: the sound goes on at once, to the end', async (t) => {
  const { viewers } = await within((await allAtOwnTiming()).get('chrome-vp8-videostop.webm'), 'the replay', 60_000);
  const [viewer] = viewers;
  const judgement = await judge(viewer.file(), 'videostop');
  const { audio, video } = judgement.probe.streams;
  assert.ok(audio.packets.at(-1).ms > 5500, `the last sound is at ${audio.packets.at(-1).ms} ms`);
  // The picture track goes with it, so that a browser plays on.
  assert.ok(video.packets.at(-1).ms > 5300, `the last picture is at ${video.packets.at(-1).ms} ms`);
  const gaps = video.packets.slice(1).map((packet, index) => packet.ms - video.packets[index].ms);
  t.diagnostic(`longest distance of two pictures: ${Math.max(...gaps)} ms; ${video.packets.length} pictures`);
  assert.ok(Math.max(...gaps) < 1000);
});

for (const name of ['chrome-vp8-videostop.webm', 'chrome-vp8-opus.webm', 'chrome-opus.webm', 'firefox-vp8-opus.webm']) {
  test(`${name}: each chunk reaches the viewer before the next is sent`, async () => {
    const capture = loadCapture(name);
    const id = `lockstep-${name}`;
    const viewer = await watch(await server(), id);
    const publisher = await publish(await server(), id);
    let sent = 0, blocks = 0;
    for (const { data } of capture.chunks) {
      sent += data.length;
      const before = viewer.epochs[0]?.units.length ?? 0;
      await publisher.send(data);
      const there = readMatroska(capture.data.subarray(0, sent)).headers[0]?.blocks.length ?? 0;
      // A chunk that completes no block brings nothing new.
      if (there > blocks)
        await viewer.units(before + 1);
      blocks = there;
    }
    await publisher.end();
    await viewer.message('interrupted');
    await compareWithSource(await judge(viewer.file(), id), capture, id, OPTIONS[name]);
    viewer.cut();
  });
}

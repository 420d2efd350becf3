// SPDX-License-Identifier: LGPL-2.1-or-later
// Recordings of a canvas whose size changes in the middle, made here by both browsers, go through the server as captures do.

import assert from 'node:assert/strict';

import { browserOf } from '../lib/browser.mjs';
import { compareWithSource, judge } from '../lib/media.mjs';
import { publish } from '../lib/publisher.mjs';
import { recordCanvas } from '../lib/recording.mjs';
import { startServer } from '../lib/server.mjs';
import { shared, test } from '../lib/test.mjs';
import { watch } from '../lib/viewer.mjs';

const server = shared(() => startServer({ set: { 'republish-grace-ms': 100 } }), (one) => one.stop());
const browsers = { chromium: browserOf('chromium'), firefox: browserOf('firefox') };

/* Where sound flows and pictures pause for longer than the server's threshold (a still canvas, or a recorder that the machine held up),
 * repeat frames fill in, and what comes late is lifted behind them. */
const RECORDINGS = [
  { browser: 'chromium', mime: 'video/webm;codecs=vp8,opus' },
  { browser: 'chromium', mime: 'video/webm;codecs=vp8', audio: false },
  { browser: 'chromium', mime: 'video/webm;codecs=vp8,opus', alpha: true },
  { browser: 'chromium', mime: 'video/webm;codecs=vp9,opus' },
  { browser: 'chromium', mime: 'video/webm;codecs=vp9,opus', alpha: true },
  { browser: 'chromium', mime: 'video/webm;codecs=av1,opus' },
  { browser: 'chromium', mime: 'video/x-matroska;codecs=avc1,opus', compare: { frames: true } },
  { browser: 'chromium', mime: 'video/webm;codecs=vp8,opus', still: true },
  { browser: 'firefox', mime: 'video/webm;codecs=vp8,opus' },
  { browser: 'firefox', mime: 'video/webm;codecs=vp8', audio: false },
  { browser: 'firefox', mime: 'video/webm;codecs=vp8,opus', alpha: true },
  { browser: 'firefox', mime: 'video/webm;codecs=vp8,opus', still: true },
];

for (const { browser, compare, ...want } of RECORDINGS) {
  const name = [browser, want.mime.replace(/^.*codecs=/, ''), want.alpha && 'alpha', want.still && 'still'].filter(Boolean).join(' ');

  test(`a canvas of ${name}, with a size change`, async (t) => {
    const id = name.replace(/[^\w]+/g, '-');
    const capture = await recordCanvas(await browsers[browser](), want);
    const { video, audio } = (await judge(capture.data, `${name}, as recorded`)).probe.streams;
    const longest = Math.max(...video.packets.slice(1).map((packet, index) => packet.ms - video.packets[index].ms));
    const one = await server();
    const viewers = [await watch(one, id)];
    const publisher = await publish(one, id);
    // In 60 pieces, each of which reaches the first viewer's side in order: joins fall before and after the change of size.
    const pieces = capture.cut(() => Math.ceil(capture.data.length / 60));
    await publisher.replay(pieces, { each: async (index) => {
      if (index % 12 === 6)
        viewers.push(await watch(one, id));
    } });
    await publisher.end();
    for (const viewer of viewers)
      await viewer.message('interrupted');
    // Just so many frames were added as the server says, and only what it says it lifted is not where it was.
    const { tracks } = await one.json(`/api/v1/streams/${id}`);
    const extra = Object.fromEntries(tracks.map(({ kind, fillers }) => [kind, fillers]));
    const options = { extra, shift: tracks.some(({ lifted }) => lifted > 0) ? 400 : 3, ...compare };
    if (want.still && audio)
      assert.ok(extra.video > 0, 'nothing repeats the still picture');
    const starts = [];
    for (const [index, viewer] of viewers.entries()) {
      const what = `viewer ${index} of ${name}`;
      const { startsAt } = await compareWithSource(await judge(viewer.file(viewer.epochs.length), what), capture, what, options);
      if (viewer.epochs.length === 1)
        starts.push(startsAt);
      viewer.cut();
    }
    assert.equal(publisher.messages.find((one) => one.type === 'error'), undefined);
    t.diagnostic(`${name}: ${video.packets.length} pictures, ${video.packets.filter((one) => one.key).length} keyframes, `
      + `at most ${longest} ms apart; viewers start at ${starts}`);
  });
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// A track that falls silent freezes nobody: the other plays on at the same latency, the picture stands, and when frames return they are
// shown at once. A minute of fillers, for each codec that has them, in both browsers.

import assert from 'node:assert/strict';

import { BROWSERS, browserOf } from '../lib/browser.mjs';
import { generate, loadCapture } from '../lib/captures.mjs';
import { startServer } from '../lib/server.mjs';
import { shared, test } from '../lib/test.mjs';
import { feed, witness } from '../lib/witness.mjs';

const server = shared(() => startServer(), (one) => one.stop());
const browsers = Object.fromEntries(BROWSERS.map((name) => [name, browserOf(name)]));

/* A watch page in each browser. */
async function watchers(id) {
  return Promise.all(BROWSERS.map(async (name) => witness(await browsers[name](), await server(), id, name)));
}

const fillers = async (id) => Object.fromEntries((await (await server()).json(`/api/v1/streams/${id}`)).tracks.map((track) => [track.kind, track.fillers]));

/** Resolves when the page has played up to `seconds`, without a word about pictures. */
const playedTo = (page, seconds) => page.page.wait((to) => document.querySelector('relais-player').video.currentTime >= to, `${seconds} s to be played`, seconds);

/* The brightest of what a person sees in the middle of the player: next to 0 where nothing is shown. */
async function brightness(page) {
  const player = await page.page.page.$('relais-player');
  const picture = await player.screenshot({ encoding: 'base64' });
  return page.evaluate(async (data) => {
    const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))], { type: 'image/png' }));
    const context = new OffscreenCanvas(16, 16).getContext('2d');
    const { width, height } = bitmap;
    context.drawImage(bitmap, width / 4, height / 4, width / 2, height / 2, 0, 0, 16, 16);
    return Math.max(...context.getImageData(0, 0, 16, 16).data.filter((_, index) => index % 4 !== 3));
  }, picture);
}

test('a real recording whose camera stops: the sound plays on, the picture stands', { limit: 180_000 }, async (t) => {
  const capture = loadCapture('chrome-vp8-videostop.webm');
  const pages = await watchers('videostop');
  const source = await feed(await server(), 'videostop', capture, { whole: true });
  t.after(() => source.cut());
  await Promise.all(pages.map(async (page) => {
    await playedTo(page, 0.5);
    await page.mark();
    // Up to the last of its 6 s: the camera stops at half of it.
    await playedTo(page, 4.8);
    const { clock } = await page.evaluate(() => window.witness.now());
    const { stalls } = await page.stats;
    t.diagnostic(`${page.name}: the clock stood still for at most ${clock} ms, ${stalls} stalls, brightness ${await brightness(page)}`);
    assert.ok(await brightness(page) > 30, 'the picture stands');
    assert.equal((await page.stats).rebuilds, 0);
  }));
  await source.done;
  assert.ok((await fillers('videostop')).video > 10);
  await Promise.all(pages.map((page) => page.close()));
});

test('the sound stops while pictures go on, and comes back', { limit: 180_000 }, async (t) => {
  const capture = (await generate({ seconds: 30, extra: ['-af', "aselect='lt(t,4)+gt(t,12)'"] })).inTime();
  const pages = await watchers('hush');
  const source = await feed(await server(), 'hush', capture);
  t.after(() => source.cut());
  await Promise.all(pages.map(async (page) => {
    await playedTo(page, 3);
    await page.mark();
    await playedTo(page, 14);
    t.diagnostic((await page.survives('eight seconds without sound')).line);
  }));
  assert.ok((await fillers('hush')).audio > 100);
  await Promise.all(pages.map((page) => page.close()));
});

/*
 * Two seconds of pictures, a minute of sound alone, and pictures again, with no keyframe after the first one: what comes after the
 * minute refers to what was before it.
 */
const QUIET = { from: 2, to: 62, seconds: 70 };

test('a minute of repeat frames of VP8, VP9 and AV1, and pictures again', { limit: 240_000 }, async (t) => {
  const codecs = ['vp8', 'vp9', 'av1'];
  const captures = {};
  for (const video of codecs)
    captures[video] = (await generate({ video, size: '160x120', seconds: QUIET.seconds, gop: 9999,
      extra: ['-vf', `select='lt(t,${QUIET.from})+gt(t,${QUIET.to})'`, '-fps_mode', 'passthrough'] })).inTime();
  await Promise.all(codecs.map(async (video) => {
    const id = `minute-${video}`;
    const pages = await watchers(id);
    const source = await feed(await server(), id, captures[video], { whole: true });
    t.after(() => source.cut());
    await Promise.all(pages.map(async (page) => {
      await playedTo(page, QUIET.from + 1);
      await page.mark();
      await playedTo(page, QUIET.to - 3);
      const { clock } = await page.evaluate(() => window.witness.now());
      const { latency, targetLatency, stalls, rebuilds } = await page.stats;
      const bright = await brightness(page);
      assert.ok(bright > 100, 'the picture stands');
      t.diagnostic(`${video}, ${page.name}: the clock stood still for at most ${clock} ms in the minute, ${stalls} stalls, latency ${latency.toFixed(2)} s, `
        + `target ${targetLatency.toFixed(2)} s, brightness ${bright}`);
      assert.equal(rebuilds, 0);
      await page.page.wait(() => {
        const { latency, targetLatency } = document.querySelector('relais-player');
        return Math.abs(latency - targetLatency) < 0.3;
      }, 'the target latency');
      await playedTo(page, QUIET.to + 0.5);
      await page.mark();
      const seen = await page.survives('pictures again');
      t.diagnostic(`${video}, ${seen.line}`);
    }));
    const { video: repeats } = await fillers(id);
    t.diagnostic(`${video}: ${repeats} repeat frames`);
    assert.ok(repeats > 300, `${repeats} repeat frames`);
    await Promise.all(pages.map((page) => page.close()));
  }));
});

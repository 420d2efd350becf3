// SPDX-License-Identifier: LGPL-2.1-or-later
// The server's own pages as a person uses them: broadcast, watch; and whether a video really plays.

import assert from 'node:assert/strict';

import { open } from './browser.mjs';
import { SLOWER } from './test.mjs';

/** Where the video element is: in the player's shadow root, or in a plain page. */
export const VIDEO = `(document.querySelector('relais-player')?.video ?? document.querySelector('video'))`;

/* A small picture: broadcaster and viewers share the machine's cores with everything else, and all of it is done in software. */
const SMALL = { source: 'camera', audio: 1, width: 426, height: 240, bitrate: 400_000 };

/** Opens /broadcast/{id} and waits until the server has its header. `query` goes into the address. */
export async function broadcast(browser, server, id, query = {}) {
  const page = await open(browser, server.url(`/broadcast/${id}?${new URLSearchParams({ ...SMALL, ...query, autostart: 1 })}`), `broadcast ${id}`);
  try {
    await server.waitLog(new RegExp(`${id}\\b.*init segment`), { limit: 60_000 });
  } catch (error) {
    throw new Error(`${error.message}\n${await page.describe()}`, { cause: error });
  }
  return page;
}

/** Opens /watch/{id}. */
export function watchPage(browser, server, id, query = {}) {
  const rest = new URLSearchParams(query).toString();
  return open(browser, server.url(`/watch/${id}${rest && `?${rest}`}`), `watch ${id}`);
}

/** Waits for the first picture (or sound) of a page. */
export function started(page) {
  return page.wait(`(() => { const video = ${VIDEO}; return video && !video.paused && video.readyState >= 3 && video.currentTime > 0; })()`, 'the video to play');
}

/**
 * Looks on until `seconds` of media have played in one go: the time advances, frames are shown, readyState stays at least 3. A page
 * that stalls (the machine may be busy elsewhere) begins anew, and the number of times is told; one that never plays so runs into the
 * time limit. Resolves with `frames`, `dropped`, `took` (seconds of wall time), `low` (lowest readyState of the stretch), `stalls`.
 */
export async function playsOn(page, { seconds = 3, frames = true } = {}) {
  await started(page);
  const seen = await page.evaluate(async (find, want, limit) => {
    const video = new Function(`return ${find}`)();
    const begun = performance.now();
    const now = () => ({ at: performance.now(), time: video.currentTime, quality: video.getVideoPlaybackQuality() });
    let from = now(), last = from.time, shown = 0, low = video.readyState, stalls = 0, stalled = false, done = false;
    await new Promise((resolve) => {
      const timer = setInterval(() => {
        const { currentTime, readyState } = video;
        const { totalVideoFrames } = video.getVideoPlaybackQuality();
        low = Math.min(low, readyState);
        // A jump (to the live edge, over a gap) is no playing either, nor is what begins to count anew in another MediaSource.
        if (readyState < 3 || currentTime < last || currentTime - last > 1 || totalVideoFrames < shown) {
          if (!stalled)
            stalls++;
          stalled = true;
          from = now();
          low = 4;
        } else {
          stalled = false;
        }
        last = currentTime;
        shown = totalVideoFrames;
        done = currentTime - from.time >= want;
        if (done || performance.now() - begun > limit) {
          clearInterval(timer);
          resolve();
        }
      }, 25);
    });
    const to = now();
    const ranges = Array.from({ length: video.buffered.length }, (_, index) => [video.buffered.start(index), video.buffered.end(index)]);
    return { done, waited: (from.at - begun) / 1000, advanced: to.time - from.time, took: (to.at - from.at) / 1000, low, stalls, ranges, at: to.time,
      frames: to.quality.totalVideoFrames - from.quality.totalVideoFrames,
      dropped: to.quality.droppedVideoFrames - from.quality.droppedVideoFrames,
      size: [video.videoWidth, video.videoHeight], error: video.error?.message };
  }, VIDEO, seconds, 45_000 * SLOWER);
  const said = `${page.name}: ${JSON.stringify(seen)}`;
  assert.ok(seen.done, `no ${seconds} s in one go: ${said}\n${await page.describe()}`);
  assert.equal(seen.error, undefined, said);
  if (frames)
    assert.ok(seen.frames >= seconds * 5, `too few frames: ${said}`);
  return seen;
}

/** What `playsOn` saw, in a line. */
export function sayPlaying(name, seen) {
  return `${name}: ${seen.frames} frames (${seen.dropped} dropped) in ${seen.took.toFixed(1)} s, readyState at least ${seen.low}`
    + (seen.stalls > 0 ? `, after ${seen.stalls} stalls in ${seen.waited.toFixed(1)} s` : '');
}

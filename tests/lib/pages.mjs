// SPDX-License-Identifier: LGPL-2.1-or-later
// The server's own pages as a person uses them: broadcast, watch; and whether a video really plays.

import assert from 'node:assert/strict';

import { open } from './browser.mjs';
import { SLOWER } from './test.mjs';

/** Where the video element is: in the player's shadow root, or in a plain page. */
export const VIDEO = `(document.querySelector('relais-player')?.video ?? document.querySelector('video'))`;

/** Opens /broadcast/{id} and waits until the server has its header. `query` goes into the address. */
export async function broadcast(browser, server, id, query = { source: 'camera', audio: 1 }) {
  const page = await open(browser, server.url(`/broadcast/${id}?${new URLSearchParams({ ...query, autostart: 1 })}`), `broadcast ${id}`);
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
 * Looks on while `seconds` of media play: the time advances, frames are shown, readyState stays at least 3. Resolves with what was
 * seen: `frames`, `dropped`, `took` (seconds of wall time), `low` (lowest readyState).
 */
export async function playsOn(page, { seconds = 3, frames = true } = {}) {
  await started(page);
  const seen = await page.evaluate(async (find, want, limit) => {
    const video = new Function(`return ${find}`)();
    const before = video.getVideoPlaybackQuality(), begun = performance.now(), from = video.currentTime;
    let low = video.readyState;
    const waits = [];
    const wait = () => waits.push(video.currentTime);
    video.addEventListener('waiting', wait);
    await new Promise((resolve) => {
      const timer = setInterval(() => {
        low = Math.min(low, video.readyState);
        if (video.currentTime - from >= want || performance.now() - begun > limit) {
          clearInterval(timer);
          resolve();
        }
      }, 25);
    });
    video.removeEventListener('waiting', wait);
    const after = video.getVideoPlaybackQuality();
    const ranges = Array.from({ length: video.buffered.length }, (_, index) => [video.buffered.start(index), video.buffered.end(index)]);
    return { advanced: video.currentTime - from, took: (performance.now() - begun) / 1000, low, waits, ranges, at: video.currentTime,
      frames: after.totalVideoFrames - before.totalVideoFrames, dropped: after.droppedVideoFrames - before.droppedVideoFrames,
      size: [video.videoWidth, video.videoHeight], error: video.error?.message };
  }, VIDEO, seconds, 60_000 * SLOWER);
  const said = `${page.name}: ${JSON.stringify(seen)}`;
  assert.ok(seen.advanced >= seconds, `the time does not advance: ${said}`);
  assert.equal(seen.error, undefined, said);
  if (frames)
    assert.ok(seen.frames >= seconds * 5, `too few frames: ${said}`);
  assert.ok(seen.low >= 3, `readyState fell to ${seen.low}: ${said}`);
  return seen;
}

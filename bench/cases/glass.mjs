// SPDX-License-Identifier: LGPL-2.1-or-later
// Real browsers: the broadcast page's test pattern carries a clock in its pixels, which is read back from the watch page's video.

import { launch } from '../../tests/lib/browser.mjs';
import { median, percentile, plain, short, upTo } from '../lib/numbers.mjs';
import { startRelais } from '../lib/servers.mjs';

const SAMPLE_MS = 6000;
/** Which refresh of the screen shows a frame is settled when playback begins: each join is another throw. */
const GLASS_JOINS = 5;
const JOINS = 12;
const LIMIT_MS = 60_000;
const FIRST_MS = 5000;
const SIZE = 'width=640&height=360';

async function openWindow(browser, address) {
  // A window, not a tab: a tab behind another is hidden, and hidden pages are slowed down.
  const page = await browser.newPage({ type: 'window' });
  await page.goto(address, { waitUntil: 'load', timeout: LIMIT_MS });
  return page;
}

async function broadcast(browser, server, id, query) {
  const page = await openWindow(browser, server.url(`/broadcast/${id}?source=pattern&autostart=1&${SIZE}&${query}`));
  for (const begun = Date.now(); ;) {
    const { streams } = await (await fetch(server.url('/api/v1/streams'))).json();
    if (streams.some((stream) => stream.id === id && stream.state === 'live'))
      return page;
    if (Date.now() - begun > LIMIT_MS)
      throw new Error(`the page does not broadcast: ${await page.evaluate(() => document.body.innerText.slice(0, 400))}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/* In the page: whether it plays at normal speed near its target, as it has for a second. The first target is not the last. */
function isSettled(first) {
  const player = document.querySelector('relais-player');
  const settled = performance.now() > first && player.video.playbackRate === 1 && player.latency - player.targetLatency < 0.1;
  if (!settled)
    window.settledSince = undefined;
  else
    window.settledSince ??= performance.now();
  return performance.now() - window.settledSince > 1000;
}

/* In the page: ages of the frames as they are shown. */
async function sampleAges(duration) {
  const code = await import('/assets/frame-code.js');
  const { video, stats } = document.querySelector('relais-player');
  const context = new OffscreenCanvas(128, 128).getContext('2d', { willReadFrequently: true });
  const ages = [];
  const end = performance.now() + duration;
  await new Promise((resolve) => {
    const look = () => {
      const now = code.frameClock();
      const value = code.readFrameCode(context, video);
      if (value)
        ages.push(code.frameCodeAge(value, now));
      if (performance.now() < end)
        video.requestVideoFrameCallback(look);
      else
        resolve();
    };
    video.requestVideoFrameCallback(look);
  });
  const player = document.querySelector('relais-player');
  return { ages, buffered: player.latency, target: player.targetLatency, stalls: player.stats.stalls - stats.stalls };
}

/** From the pattern's canvas to the video's pixels. */
export async function glass(context) {
  const rows = [];
  const server = await startRelais(context);
  try {
    for (const [name, query, limit] of [
      ['audio and video, start(100)', 'audio=1&timeslice=100', 360],
      ['video alone, start(20)', 'audio=0&timeslice=20', 180],
    ]) {
      const browser = await launch('chromium');
      try {
        const id = `glass${limit}`;
        await broadcast(browser, server, id, query);
        const seen = [];
        for (let join = 0; join < GLASS_JOINS; join += 1) {
          const page = await openWindow(browser, server.url(`/watch/${id}`));
          await page.waitForFunction(isSettled, { timeout: LIMIT_MS }, FIRST_MS);
          seen.push(await page.evaluate(sampleAges, SAMPLE_MS));
          await page.close();
        }
        const ages = seen.flatMap((one) => one.ages);
        const sum = (pick) => seen.reduce((total, one) => total + pick(one), 0);
        if (ages.length < 50 * GLASS_JOINS)
          throw new Error(`only ${ages.length} frames could be read`);
        rows.push(upTo(`${name}: median of ${GLASS_JOINS} joins`, seen.map((one) => median(one.ages)), limit, ' ms'),
          plain(`${name}: p5 / p95 of all frames, stalls`, `${short(percentile(ages, 0.05))} / ${short(percentile(ages, 0.95))} ms, ${sum((one) => one.stalls)}`),
          plain(`${name}: of that between the end of the buffer after an append and the playhead`, `${short((sum((one) => one.buffered) / GLASS_JOINS) * 1000)} ms`));
      } finally {
        await browser.close();
      }
    }
  } finally {
    await server.stop();
  }
  return {
    title: 'Glass to glass in Chromium, 640 × 360, encoder and player on the same machine',
    rows,
    notes: [
      'What is not between the playhead and the end of the buffer is the encoder, the recorder’s time slice and the way. With sound the',
      'player stays further back: MediaRecorder’s pieces come up to a time slice and a frame apart, and Chromium’s sound runs dry before the',
      'end of the buffer (docs/ARCHITECTURE.md, “What browsers demand of it”).',
    ],
  };
}

/* In the page, before anything else: when the WebSocket opened, when the first frame was shown. */
function watchForFirstFrame() {
  window.firstFrame = new Promise((resolve) => {
    let opened = NaN;
    const Native = window.WebSocket;
    window.WebSocket = class extends Native {
      constructor(...args) {
        super(...args);
        this.addEventListener('open', () => (opened = performance.now()));
      }
    };
    const look = () => {
      const video = document.querySelector('relais-player')?.video;
      if (video)
        video.requestVideoFrameCallback(() => resolve(performance.now() - opened));
      else
        requestAnimationFrame(look);
    };
    look();
  });
}

/** Late joiners with a player. */
export async function firstFrame(context) {
  const rows = [];
  const server = await startRelais(context);
  const publisher = await launch('chromium');
  try {
    await broadcast(publisher, server, 'first', 'audio=1&timeslice=100');
    for (const name of ['chromium', 'firefox']) {
      const browser = await launch(name);
      const times = [];
      try {
        for (let join = 0; join < JOINS; join += 1) {
          const page = await browser.newPage();
          await page.evaluateOnNewDocument(watchForFirstFrame);
          await page.goto(server.url('/watch/first'), { waitUntil: 'load', timeout: LIMIT_MS });
          times.push(await page.evaluate(() => window.firstFrame));
          await page.close();
        }
      } finally {
        await browser.close();
      }
      // The first page of a browser also loads its decoders.
      times.shift();
      rows.push(upTo(`${name}: median of ${times.length}`, median(times), 100, ' ms'),
        plain(`${name}: fastest, slowest`, `${short(Math.min(...times))} ms, ${short(Math.max(...times))} ms`));
    }
  } finally {
    await publisher.close();
    await server.stop();
  }
  return { title: 'First frame on the watch page after its WebSocket opened: a late joiner, audio and video', rows };
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// Whatever happens to the viewer: the network between server and page fails in all the ways it can, the tab is hidden, the video
// paused, the browser's media memory full. The page goes on by itself and comes back to its target latency.

import assert from 'node:assert/strict';
import { setTimeout as passes } from 'node:timers/promises';

import { BROWSERS, browserOf } from '../lib/browser.mjs';
import { generate } from '../lib/captures.mjs';
import { startProxy } from '../lib/fault-proxy.mjs';
import { startServer } from '../lib/server.mjs';
import { shared, test } from '../lib/test.mjs';
import { feed, witness } from '../lib/witness.mjs';

const server = shared(() => startServer(), (one) => one.stop());
const browsers = Object.fromEntries(BROWSERS.map((name) => [name, browserOf(name)]));

/* Some 80 KB a second, a keyframe each second; long enough that no test comes to its end. */
const RATE = 80_000;
const capture = shared(async () => (await generate({ seconds: 120 })).inTime(), () => {});

/*
 * One live stream, a watch page in each browser behind a proxy of its own, and what `happens` to them, given `(page, proxy)`;
 * afterwards each must play on. `check` gets what was seen then.
 */
function survives(what, happens, { check = () => {}, limit = 180_000 } = {}) {
  test(what, { limit }, async (t) => {
    const id = what.replaceAll(/\W+/g, '-').slice(0, 60);
    const source = await feed(await server(), id, await capture());
    t.after(() => source.cut());
    await Promise.all(BROWSERS.map(async (name) => {
      const proxy = await startProxy(await server());
      t.after(() => proxy.close());
      const page = await witness(await browsers[name](), proxy, id, name);
      await page.survives('start');
      await page.mark();
      const said = await happens(page, proxy, name);
      const seen = await page.survives(what);
      t.diagnostic(said ? `${seen.line}; ${said}` : seen.line);
      await check(seen);
      await page.close({ faults: true });
    }));
  });
}

const connected = (page, again) => page.page.wait((count) => document.querySelector('relais-player').stats.reconnects >= count, 'a new connection', again);

survives('the connection is cut', async (page, proxy) => {
  proxy.cut();
  await connected(page, 1);
}, { check: ({ stats }) => assert.equal(stats.rebuilds, 0, 'the same epoch goes on in the same buffer') });

survives('the connection is reset', async (page, proxy) => {
  proxy.reset();
  await connected(page, 1);
}, { check: ({ stats }) => assert.equal(stats.rebuilds, 0) });

survives('the server cannot be reached for a while', async (page, proxy) => {
  proxy.refuse();
  proxy.reset();
  // Several attempts fail; the delay between them has grown.
  await page.page.wait(() => document.querySelector('relais-player').log.filter(({ text }) => text.startsWith('connection closed')).length >= 4,
    'several attempts');
  proxy.refuse(false);
  await connected(page, 1);
});

survives('the connection stalls for 5 s', async (page, proxy) => {
  proxy.stall();
  await page.state('buffering');
  await passes(5000);
  proxy.resume();
});

survives('the network carries a third of the bitrate for 8 s', async (page, proxy) => {
  proxy.throttle(RATE / 3);
  await page.state('buffering');
  await passes(8000);
  proxy.throttle(Infinity);
});

survives('the connection is half-open: nothing comes any more, and nobody is told', async (page, proxy) => {
  proxy.halfOpen();
  await connected(page, 1);
}, { check: ({ log }) => assert.ok(log.some((text) => text.includes('no data for too long'))) });

survives('paused and played again: at the live edge', async (page) => {
  await page.evaluate(() => document.querySelector('relais-player').pause());
  await page.state('paused');
  await passes(4000);
  await page.mark();
  await page.evaluate(() => document.querySelector('relais-player').play());
  await page.atTarget();
}, { check: ({ stats }) => assert.equal(stats.reconnects, 0) });

survives('paused for so long that the connection is given up, and played again', async (page) => {
  await page.evaluate(() => document.querySelector('relais-player').pause());
  await page.page.wait(() => document.querySelector('relais-player').stats.connection === 'suspended', 'the connection to be given up');
  await page.mark();
  await page.evaluate(() => document.querySelector('relais-player').play());
});

/* Real quotas are over 100 MB; what the browser does then is to refuse an append, as here. */
function refuseAppends(page, times) {
  return page.evaluate((count) => {
    const append = SourceBuffer.prototype.appendBuffer;
    let left = count;
    SourceBuffer.prototype.appendBuffer = function (data) {
      if (left-- > 0)
        throw new DOMException('full', 'QuotaExceededError');
      return append.call(this, data);
    };
  }, times);
}

survives('the media memory is full: what was played goes', async (page) => {
  await page.page.wait(() => {
    const { video } = document.querySelector('relais-player');
    return video.currentTime - video.buffered.start(0) > 5;
  }, 'something to remove');
  await page.mark();
  await refuseAppends(page, 1);
  await page.page.wait(() => document.querySelector('relais-player').stats.quotaTrims === 1, 'the quota to be met');
}, { check: ({ stats }) => assert.equal(stats.reconnects, 0) });

survives('the media memory is full, and nothing can be removed', async (page) => {
  await refuseAppends(page, 3);
  await connected(page, 1);
});

survives('the browser cannot decode for a moment', async (page) => {
  // As after a crash of the media process: the element reports an error, its MediaSource is worthless.
  await page.evaluate(() => {
    const append = SourceBuffer.prototype.appendBuffer;
    SourceBuffer.prototype.appendBuffer = function () {
      SourceBuffer.prototype.appendBuffer = append;
      return append.call(this, new Uint8Array(64).fill(7));
    };
  });
  await connected(page, 1);
});

survives('the tab is hidden behind another and shown again', async (page, proxy, name) => {
  const { page: tab } = page.page;
  const front = await (await browsers[name]()).newPage();
  await front.bringToFront();
  const hidden = await tab.waitForFunction(() => document.hidden, { timeout: 2000, polling: 50 }).then(() => true, () => false);
  // Where headless windows are never hidden, the page is told so, and its video is stopped as browsers do to save power.
  if (!hidden) {
    await page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
      Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => 'hidden' });
      document.dispatchEvent(new Event('visibilitychange'));
      document.querySelector('relais-player').video.pause();
    });
  }
  await passes(6000);
  const behind = await page.evaluate(() => {
    const { video } = document.querySelector('relais-player');
    return video.buffered.end(video.buffered.length - 1) - video.currentTime;
  });
  await page.mark();
  await front.close();
  if (hidden) {
    await tab.bringToFront();
    await page.page.wait(() => !document.hidden, 'the page to be visible');
  } else {
    await page.evaluate(() => {
      delete document.hidden;
      delete document.visibilityState;
      document.dispatchEvent(new Event('visibilitychange'));
    });
  }
  await page.atTarget();
  return `${hidden ? 'really hidden' : 'hidden as far as the page knows'}, then ${behind.toFixed(2)} s behind`;
}, { check: ({ states }) => assert.ok(!states.includes('paused'), `the person did not pause: ${states}`) });

test('a recorder whose stamps of the sound jitter: it is heard whole', { limit: 120_000 }, async (t) => {
  // As Chromium's do on some runs. Where packets overlap Chromium's player cuts, and falls back by as much: here by a seventh.
  const jitter = [0, -8, 1];
  const uneven = (await generate({ seconds: 60 })).withSoundMoved((index) => jitter[index % 3]).inTime();
  const source = await feed(await server(), 'jitter', uneven);
  t.after(() => source.cut());
  await Promise.all(BROWSERS.map(async (name) => {
    const page = await witness(await browsers[name](), await server(), 'jitter', name);
    await page.survives('start');
    await page.page.wait(() => {
      const { latency, targetLatency, video } = document.querySelector('relais-player');
      const even = video.playbackRate === 1 && Math.abs(latency - targetLatency) < 0.1;
      window.evenSince = even ? window.evenSince ?? performance.now() : undefined;
      return performance.now() - window.evenSince > 3000;
    }, 'three seconds at the target without playing faster');
    t.diagnostic((await page.survives('jitter')).line);
    await page.close();
  }));
});

// SPDX-License-Identifier: LGPL-2.1-or-later
// The main job in real browsers: a broadcast page, the server, watch pages in the same and in the other browser, joined at any moment.

import { BROWSERS, browserOf } from '../lib/browser.mjs';
import { broadcast, playsOn, sayPlaying, started, watchPage } from '../lib/pages.mjs';
import { startServer } from '../lib/server.mjs';
import { shared, test } from '../lib/test.mjs';

const server = shared(() => startServer(), (one) => one.stop());
const browsers = Object.fromEntries(BROWSERS.map((name) => [name, browserOf(name)]));

/* What each browser's recorder can write. */
const CODECS = { chromium: ['vp8', 'vp9'], firefox: ['vp8'] };

for (const from of BROWSERS) {
  for (const to of BROWSERS) {
    test(`${from} broadcasts, ${to} watches: early and late`, { limit: 180_000 }, async (t) => {
      const id = `${from}-to-${to}`;
      const early = await watchPage(await browsers[to](), await server(), id);
      await early.wait(() => /waiting/i.test(document.querySelector('relais-player').state), 'the player to wait');
      const source = await broadcast(await browsers[from](), await server(), id);
      t.diagnostic(sayPlaying('early', await playsOn(early)));
      const late = await watchPage(await browsers[to](), await server(), id);
      t.diagnostic(sayPlaying('late', await playsOn(late)));
      for (const page of [early, late, source]) {
        page.clean();
        await page.close();
      }
    });
  }

  for (const codec of CODECS[from]) {
    test(`${from} broadcasts ${codec} without sound, both watch`, { limit: 180_000 }, async (t) => {
      const id = `${from}-${codec}-silent`;
      const source = await broadcast(await browsers[from](), await server(), id, { audio: 0, codec });
      for (const to of BROWSERS) {
        const page = await watchPage(await browsers[to](), await server(), id);
        t.diagnostic(sayPlaying(to, await playsOn(page)));
        page.clean();
        await page.close();
      }
      source.clean();
      await source.close();
    });
  }
}

test('five watch at once, in both browsers, joined one after the other', { limit: 240_000 }, async (t) => {
  const source = await broadcast(await browsers.chromium(), await server(), 'five');
  const pages = [];
  for (const name of ['chromium', 'firefox', 'chromium', 'firefox', 'chromium']) {
    const page = await watchPage(await browsers[name](), await server(), 'five');
    page.name = `viewer ${pages.length + 1} (${name})`;
    pages.push(page);
  }
  await Promise.all(pages.map(started));
  for (const [index, seen] of (await Promise.all(pages.map((page) => playsOn(page)))).entries())
    t.diagnostic(sayPlaying(pages[index].name, seen));
  for (const page of [...pages, source]) {
    page.clean();
    await page.close();
  }
});

test('the broadcaster leaves and comes back: the same pages play on without a reload', { limit: 240_000 }, async (t) => {
  let source = await broadcast(await browsers.chromium(), await server(), 'returns');
  const pages = [];
  for (const name of BROWSERS) {
    const page = await watchPage(await browsers[name](), await server(), 'returns');
    await playsOn(page, { seconds: 1 });
    await page.evaluate(() => {
      window.notReloaded = true;
    });
    pages.push(page);
  }
  source.clean();
  await source.close();
  for (const page of pages)
    await page.wait(() => document.querySelector('relais-player').state === 'interrupted', 'the player to say interrupted');
  const from = (await server()).log.length;
  source = await broadcast(await browsers.chromium(), await server(), 'returns');
  await (await server()).waitLog(/returns\b.*init segment/, { from });
  for (const page of pages) {
    await page.wait(() => document.querySelector('relais-player').state === 'live', 'the player to be live again');
    t.diagnostic(sayPlaying(page.name, await playsOn(page)));
    await page.wait(() => window.notReloaded, 'the same document');
    page.clean();
    await page.close();
  }
  source.clean();
  await source.close();
});

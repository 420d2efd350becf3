// SPDX-License-Identifier: LGPL-2.1-or-later
// Whatever is broadcast: camera, screen, pattern, sizes and sound are exchanged, the camera turned off and unplugged. The broadcast page goes on
// without a reload, on one connection, and so do the pages of who watches, in both browsers.

import assert from 'node:assert/strict';

import { BROWSERS, browserOf } from '../lib/browser.mjs';
import { scene } from '../lib/scene.mjs';
import { startServer } from '../lib/server.mjs';
import { shared, test } from '../lib/test.mjs';

const server = shared(() => startServer(), (one) => one.stop());
const browsers = Object.fromEntries(BROWSERS.map((name) => [name, browserOf(name)]));

for (const from of BROWSERS) {
  test(`${from} broadcasts and exchanges camera, screen, pattern, size and sound`, { limit: 240_000 }, async (t) => {
    const { page, mark, all, fact, moreThan, done } = await scene(t, { browsers, server, from, id: `sources-${from}` });
    // No headless browser has a screen to share: a canvas takes its place.
    await page.evaluate(() => {
      navigator.mediaDevices.getDisplayMedia = async () => {
        const canvas = document.createElement('canvas');
        const context = canvas.getContext('2d', { alpha: false });
        setInterval(() => {
          context.fillStyle = `hsl(${Date.now() / 20 % 360} 60% 50%)`;
          context.fillRect(0, 0, canvas.width, canvas.height);
        }, 50);
        return canvas.captureStream(20);
      };
    });
    const choose = (name, value) => page.evaluate((field, wanted) => {
      const { elements } = document.querySelector('#settings');
      if (typeof wanted === 'boolean')
        elements[field].checked = wanted;
      else
        elements[field].value = wanted;
      document.querySelector('#settings').dispatchEvent(new Event('change', { bubbles: true }));
    }, name, value);
    let recordings = await fact('Recordings');
    for (const [field, value] of [['source', 'screen'], ['source', 'camera'], ['audio', false], ['size', '640x360'], ['audio', true], ['source', 'pattern']]) {
      await mark();
      await choose(field, value);
      await moreThan('Recordings', recordings);
      recordings = await fact('Recordings');
      await all(`${field} ${value}`);
    }
    assert.equal(await fact('Reconnects'), 0, 'all on one connection');
    await done();
  });

  for (const to of BROWSERS) {
    test(`${from} broadcasts and turns the camera off, ${to} watches: a still card, then the camera again`, { limit: 240_000 }, async (t) => {
      const { page, mark, all, done } = await scene(t, { browsers, server, from, to: [to], id: `card-${from}-${to}` });
      await mark();
      await page.page.click('#picture-off');
      await page.wait(() => document.querySelector('#picture-off').getAttribute('aria-pressed') === 'true', 'the camera to be off');
      await all('the camera off', { seconds: 4, frames: false });
      await mark();
      await page.page.click('#picture-off');
      await page.wait(() => document.querySelector('#picture-off').getAttribute('aria-pressed') === 'false', 'the camera to be on');
      await all('the camera on');
      // As when it is unplugged; Firefox takes no event made by a script for that.
      if (from === 'chromium') {
        await mark();
        await page.evaluate(() => {
          const [track] = document.querySelector('#preview').srcObject.getVideoTracks();
          track.dispatchEvent(new Event('ended'));
          track.stop();
        });
        await page.wait(() => /still card/i.test(document.querySelector('#warning').textContent), 'a word about the camera');
        await all('the camera unplugged', { seconds: 3, frames: false });
      }
      await done();
    });
  }
}

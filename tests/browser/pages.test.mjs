// SPDX-License-Identifier: LGPL-2.1-or-later
// The pages beside playing: the list, what is said in words, narrow windows, the keyboard, and the player in someone else's page.

import assert from 'node:assert/strict';

import { BROWSERS, browserOf, open, servePages } from '../lib/browser.mjs';
import { loadCapture } from '../lib/captures.mjs';
import { broadcast, playsOn, sayPlaying, started, watchPage } from '../lib/pages.mjs';
import { publish } from '../lib/publisher.mjs';
import { startServer } from '../lib/server.mjs';
import { shared, test } from '../lib/test.mjs';

const server = shared(() => startServer({ set: { 'republish-grace-ms': 500 } }), (one) => one.stop());
const browsers = Object.fromEntries(BROWSERS.map((name) => [name, browserOf(name)]));

const state = (page) => page.evaluate(() => document.querySelector('relais-player').state);
const inState = (page, wanted) => page.wait((word) => document.querySelector('relais-player').state === word, `state ${wanted}`, wanted);

for (const name of BROWSERS) {
  test(`${name}: the list shows what is live, and its forms lead on by keyboard`, async () => {
    const publisher = await publish(await server(), `list-${name}`);
    await publisher.replay(loadCapture('chrome-vp8-opus.webm'));
    const page = await open(await browsers[name](), (await server()).url('/'), `index in ${name}`);
    await page.wait((id) => document.body.innerText.includes(id), 'the live stream', `list-${name}`);
    const links = await page.evaluate(() => Array.from(document.querySelectorAll('a'), (link) => new URL(link.href).pathname));
    assert.ok(links.includes(`/watch/list-${name}`), links.join(' '));
    // A name typed into the first field, and Enter.
    await page.page.focus('#broadcast-form input');
    await page.page.keyboard.type('typed');
    await page.page.keyboard.press('Enter');
    await page.wait(() => location.pathname === '/broadcast/typed' && document.readyState === 'complete', 'the broadcast page');
    await page.wait(() => document.title.startsWith('typed'), 'its title');
    await publisher.end();
    page.clean();
    await page.close();
  });

  test(`${name}: /watch and /broadcast ask for a name and refuse what is none`, async () => {
    for (const kind of ['watch', 'broadcast']) {
      const page = await open(await browsers[name](), (await server()).url(`/${kind}`), `${kind} in ${name}`);
      await page.wait(() => document.activeElement?.name === 'id', 'the field to be in focus');
      await page.page.keyboard.type('not a name');
      await page.page.keyboard.press('Enter');
      await page.wait(() => document.querySelector('#ask-error').textContent !== '', 'a word about the name');
      assert.equal(await page.evaluate(() => location.pathname), `/${kind}`);
      page.clean();
      await page.close();
    }
  });

  test(`${name}: the watch page says what is going on, from waiting to ended`, async () => {
    const id = `words-${name}`;
    const page = await watchPage(await browsers[name](), await server(), id);
    await inState(page, 'waiting');
    assert.match(await page.evaluate(() => document.body.innerText), /waiting for the broadcaster/i);
    const publisher = await publish(await server(), id);
    const replay = publisher.replay(loadCapture('chrome-vp8-opus.webm'), { pace: 'own', to: 30 });
    await inState(page, 'live');
    assert.ok(await page.evaluate(() => document.querySelector('relais-player').video.muted || !document.querySelector('relais-player').video.paused));
    await replay;
    await publisher.end();
    await inState(page, 'ended');
    assert.match(await page.evaluate(() => document.body.innerText), /has ended/i);
    page.clean();
    await page.close();
  });

  test(`${name}: a stream that no browser's Media Source takes is named as such`, async () => {
    const id = `h264-${name}`;
    const publisher = await publish(await server(), id);
    const page = await watchPage(await browsers[name](), await server(), id);
    await publisher.replay(loadCapture('chrome-h264-opus.mkv'));
    await inState(page, 'unsupported');
    assert.match(await page.evaluate(() => document.querySelector('relais-player').message), /H\.264|avc1/i);
    await publisher.end();
    page.clean();
    await page.close();
  });

  test(`${name}: play, mute and the rest by keyboard`, async () => {
    const id = `keys-${name}`;
    const publisher = await publish(await server(), id);
    const replay = publisher.replay(loadCapture('chrome-vp8-720p.webm'), { pace: 'own' });
    const page = await watchPage(await browsers[name](), await server(), id);
    await started(page);
    await page.page.focus('relais-player');
    await page.page.keyboard.press(' ');
    await page.wait(() => document.querySelector('relais-player').video.paused, 'pause by the space bar');
    await page.page.keyboard.press(' ');
    await page.wait(() => !document.querySelector('relais-player').video.paused, 'play by the space bar');
    const muted = await page.evaluate(() => document.querySelector('relais-player').video.muted);
    await page.page.keyboard.press('m');
    await page.wait((before) => document.querySelector('relais-player').video.muted !== before, 'mute by m', muted);
    // Every control can be reached with the tab key.
    const reached = new Set();
    await page.page.focus('relais-player');
    for (let count = 0; count < 12; count++) {
      await page.page.keyboard.press('Tab');
      reached.add(await page.evaluate(() => {
        const focused = document.querySelector('relais-player').shadowRoot.activeElement;
        return focused ? focused.getAttribute('aria-label') ?? focused.title ?? focused.tagName : '';
      }));
    }
    reached.delete('');
    assert.ok(reached.size >= 3, `controls reached: ${[...reached].join(', ')}`);
    await replay;
    await publisher.end();
    page.clean();
    await page.close();
  });

  test(`${name}: the player in a page of another origin`, async (t) => {
    const id = `embed-${name}`;
    const address = (await server()).url('/relais-player.js');
    const www = await servePages({ '/': `<!doctype html><meta charset="utf-8"><title>someone's page</title>
      <script type="module" src="${address}"></script><h1>My page</h1><relais-player stream="${id}" autoplay muted></relais-player>` });
    const page = await open(await browsers[name](), www.url('/'), `embedded in ${name}`);
    const publisher = await publish(await server(), id);
    const replay = publisher.replay(loadCapture('chrome-vp8-opus.webm'), { pace: 'own' });
    const seen = await playsOn(page);
    t.diagnostic(sayPlaying(name, seen));
    await replay;
    await publisher.end();
    page.clean();
    await page.close();
    await www.close();
  });
}

test('no page is wider than a phone, in light and in dark', async () => {
  const publisher = await publish(await server(), 'a-rather-long-name-for-a-stream-that-somebody-may-well-think-of');
  await publisher.replay(loadCapture('chrome-vp8-opus.webm'), { to: 40 });
  for (const address of ['/', '/watch', '/broadcast', `/watch/${publisher.id}`, `/broadcast/${publisher.id}-2`]) {
    const page = await open(await browsers.chromium(), (await server()).url(address), address, { viewport: { width: 360, height: 740 } });
    for (const scheme of ['light', 'dark']) {
      await page.page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      const { wide, back, text } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth,
        back: getComputedStyle(document.body).backgroundColor, text: getComputedStyle(document.body).color }));
      assert.ok(wide <= 360, `${address} is ${wide} px wide`);
      const light = (color) => color.match(/[\d.]+/g).slice(0, 3).reduce((sum, value) => sum + Number(value), 0);
      if (light(back) > 0)
        assert.equal(light(back) > light(text), scheme === 'light', `${address} in ${scheme}: ${text} on ${back}`);
    }
    page.clean();
    await page.close();
  }
  await publisher.end();
});

test('the broadcast page starts and stops by its button and tells what it does', async () => {
  const page = await open(await browsers.chromium(), (await server()).url('/broadcast/button?source=pattern&audio=1'), 'broadcast');
  await page.page.click('#start');
  await (await server()).waitLog(/button\b.*init segment/);
  const watching = await watchPage(await browsers.chromium(), await server(), 'button');
  await playsOn(watching, { seconds: 2 });
  await page.wait(() => /1 viewer/i.test(document.body.innerText), 'the number of viewers');
  await page.wait(() => /live/i.test(document.querySelector('#state').textContent), 'the state');
  assert.match(await page.evaluate(() => document.querySelector('#debug').innerText), /video\/(webm|x-matroska)/);
  await page.page.click('#start');
  await inState(watching, 'ended');
  assert.equal(await state(watching), 'ended');
  for (const one of [page, watching]) {
    one.clean();
    await one.close();
  }
});

for (const name of BROWSERS) {
  test(`${name}: the test pattern with sound, started by a click`, async (t) => {
    const id = `pattern-${name}`;
    const page = await open(await browsers[name](), (await server()).url(`/broadcast/${id}?source=pattern&audio=1`), `broadcast ${id}`);
    await page.page.click('#start');
    await (await server()).waitLog(new RegExp(`${id}\\b.*init segment`));
    const watching = await watchPage(await browsers[name](), await server(), id);
    const seen = await playsOn(watching, { seconds: 2 });
    t.diagnostic(sayPlaying(name, seen));
    for (const one of [watching, page]) {
      one.clean();
      await one.close();
    }
  });

  test(`${name}: sound only`, async () => {
    const id = `sound-${name}`;
    const source = await broadcast(await browsers[name](), await server(), id, { source: 'sound' });
    const watching = await watchPage(await browsers[name](), await server(), id);
    await playsOn(watching, { seconds: 2, frames: false });
    for (const one of [watching, source]) {
      one.clean();
      await one.close();
    }
  });
}

test('the camera turned off and on again: the watch page plays on', async () => {
  const source = await broadcast(await browsers.chromium(), await server(), 'card');
  const watching = await watchPage(await browsers.chromium(), await server(), 'card');
  await playsOn(watching, { seconds: 1 });
  await source.page.click('#picture-off');
  await playsOn(watching, { seconds: 3, frames: false });
  await source.page.click('#picture-off');
  await playsOn(watching, { seconds: 2 });
  for (const one of [watching, source]) {
    one.clean();
    await one.close();
  }
});

// SPDX-License-Identifier: LGPL-2.1-or-later
// The codecs that README.md's table names and no capture has: made by ffmpeg, on the watch page of each browser.

import assert from 'node:assert/strict';

import { BROWSERS, browserOf } from '../lib/browser.mjs';
import { generate } from '../lib/captures.mjs';
import { playsOn, sayPlaying, watchPage } from '../lib/pages.mjs';
import { publish } from '../lib/publisher.mjs';
import { startServer } from '../lib/server.mjs';
import { shared, test } from '../lib/test.mjs';

const server = shared(() => startServer(), (one) => one.stop());
const browsers = Object.fromEntries(BROWSERS.map((name) => [name, browserOf(name)]));

const PLAYS = [
  { video: 'av1', audio: 'opus' },
  { video: 'av1', audio: null },
  { video: 'vp9', audio: 'vorbis' },
  { video: 'vp8', audio: 'vorbis' },
  { video: null, audio: 'vorbis' },
];

/* Both browsers look on while it is sent at its own pace. */
async function watched(codecs) {
  const one = await server();
  const id = [codecs.video, codecs.audio].filter(Boolean).join('-');
  const capture = await generate({ ...codecs, seconds: 6 });
  const pages = await Promise.all(BROWSERS.map(async (name) => watchPage(await browsers[name](), one, id)));
  await one.waitLog(new RegExp(`\\b${id}: viewer joined from .*\\(${BROWSERS.length} now\\)`));
  const publisher = await publish(one, id);
  const sent = publisher.replay(capture, { pace: 'own' });
  const done = async () => {
    await sent;
    await publisher.end();
    await Promise.all(pages.map((page) => {
      page.clean();
      return page.close();
    }));
  };
  return { pages, done };
}

for (const codecs of PLAYS)
  test(`${[codecs.video, codecs.audio].filter(Boolean).join(' + ')} plays`, async (t) => {
    const { pages, done } = await watched(codecs);
    const seen = await Promise.all(pages.map((page) => playsOn(page, { seconds: 2.5, frames: Boolean(codecs.video) })));
    BROWSERS.forEach((name, index) => t.diagnostic(sayPlaying(name, seen[index])));
    await done();
  });

test('the page says that no browser plays H.264 in Matroska', async () => {
  const { pages, done } = await watched({ video: 'h264', audio: 'opus' });
  await Promise.all(pages.map(async (page) => {
    await page.wait(() => document.querySelector('relais-player').state === 'unsupported', 'the state unsupported');
    assert.match(await page.evaluate(() => document.body.innerText), /H\.264|avc1/);
  }));
  await done();
});

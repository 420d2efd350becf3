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

async function replay(name, codecs) {
  const one = await server();
  const id = [name, codecs.video, codecs.audio].filter(Boolean).join('-');
  const capture = await generate({ ...codecs, seconds: 6 });
  const page = await watchPage(await browsers[name](), one, id);
  await one.waitLog(new RegExp(`\\b${id}: viewer joined`));
  const publisher = await publish(one, id);
  return { id, page, publisher, replay: publisher.replay(capture, { pace: 'own' }) };
}

for (const name of BROWSERS) {
  for (const codecs of PLAYS)
    test(`${[codecs.video, codecs.audio].filter(Boolean).join(' + ')} plays in ${name}`, async (t) => {
      const { id, page, publisher, replay: sent } = await replay(name, codecs);
      t.diagnostic(sayPlaying(id, await playsOn(page, { seconds: 2.5, frames: Boolean(codecs.video) })));
      await sent;
      await publisher.end();
      page.clean();
      await page.close();
    });

  test(`${name} says that it cannot play H.264 in Matroska`, async () => {
    const { page, publisher, replay: sent } = await replay(name, { video: 'h264', audio: 'opus' });
    await page.wait(() => document.querySelector('relais-player').state === 'unsupported', 'the state unsupported');
    assert.match(await page.evaluate(() => document.body.innerText), /H\.264|avc1/);
    await sent;
    await publisher.end();
    page.clean();
    await page.close();
  });
}

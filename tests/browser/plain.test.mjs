// SPDX-License-Identifier: LGPL-2.1-or-later
// A page of someone else's that knows nothing of the protocol: it ignores every text message and appends every binary one.

import { BROWSERS, browserOf, open, servePages } from '../lib/browser.mjs';
import { generate, loadCapture } from '../lib/captures.mjs';
import { playsOn, sayPlaying, started } from '../lib/pages.mjs';
import { publish } from '../lib/publisher.mjs';
import { startServer } from '../lib/server.mjs';
import { shared, test } from '../lib/test.mjs';

const PAGE = `<!doctype html><meta charset="utf-8"><title>plain</title><video autoplay muted></video><script>
const [address, mime] = JSON.parse(decodeURIComponent(location.hash.slice(1)));
const video = document.querySelector('video');
const source = new MediaSource();
video.src = URL.createObjectURL(source);
source.onsourceopen = () => {
  const buffer = source.addSourceBuffer(mime);
  const queue = [];
  const next = () => {
    // Live media does not begin at zero for who comes late.
    if (video.buffered.length > 0 && video.currentTime < video.buffered.start(0))
      video.currentTime = video.buffered.start(0);
    if (queue.length > 0 && !buffer.updating)
      buffer.appendBuffer(queue.shift());
  };
  buffer.onupdateend = next;
  buffer.onerror = () => console.error('append failed');
  const socket = new WebSocket(address);
  socket.binaryType = 'arraybuffer';
  socket.onmessage = ({ data }) => {
    if (typeof data === 'string')
      return;
    queue.push(data);
    next();
  };
};
</script>`;

const server = shared(() => startServer(), (one) => one.stop());
const www = shared(() => servePages({ '/': PAGE }), (one) => one.close());
const browsers = Object.fromEntries(BROWSERS.map((name) => [name, browserOf(name)]));

async function plainPage(name, id, mime) {
  const hash = encodeURIComponent(JSON.stringify([(await server()).ws(`/live/${id}`), mime]));
  return open(await browsers[name](), (await www()).url(`/#${hash}`), `plain ${id} in ${name}`);
}

const CAPTURES = {
  'chrome-vp8-opus.webm': 'video/webm; codecs="vp8,opus"',
  'chrome-vp9-opus.webm': 'video/webm; codecs="vp9,opus"',
  'chrome-vp8.webm': 'video/webm; codecs="vp8"',
  'chrome-opus.webm': 'audio/webm; codecs="opus"',
  'firefox-vp8-opus.webm': 'video/webm; codecs="vp8,opus"',
  'chrome-vp8-videostop.webm': 'video/webm; codecs="vp8,opus"',
};

const inBoth = (fn) => Promise.all(BROWSERS.map(fn));

for (const [file, mime] of Object.entries(CAPTURES)) {
  test(`${file} plays in a plain page, from before and from the middle`, async (t) => {
    const capture = loadCapture(file);
    const one = await server();
    const early = await inBoth((name) => plainPage(name, file, mime));
    const publisher = await publish(one, file);
    let openLate;
    const late = new Promise((resolve) => { openLate = resolve; });
    // At its own timing, so that pages play while it comes; the late ones open meanwhile.
    const replay = publisher.replay(capture, { pace: 'own', each: (index) => {
      if (index === Math.floor(capture.chunks.length / 4))
        openLate(inBoth((name) => plainPage(name, file, mime)));
    } });
    const frames = (!file.includes('opus.webm') || file.includes('vp')) && !file.includes('videostop');
    const seen = await Promise.all(early.map((page) => playsOn(page, { seconds: 2.5, frames })));
    await Promise.all((await late).map(started));
    await replay;
    BROWSERS.forEach((name, index) => t.diagnostic(sayPlaying(`${file} in ${name}`, seen[index])));
    // Everything that was published is buffered, in one piece, in every page.
    await Promise.all([...early, ...await late].map(async (page) => {
      await page.wait((end) => {
        const { buffered } = document.querySelector('video');
        return buffered.length === 1 && buffered.end(0) > end;
      }, `one range that ends after ${capture.duration - 700} ms`, (capture.duration - 700) / 1000);
      page.clean();
      await page.close();
    }));
    await publisher.end();
  });
}

for (const name of BROWSERS) {
  test(`a group of pictures of 75 s is one range in ${name}`, async () => {
    const capture = await generate({ seconds: 75, gop: 75 * 20 });
    const id = `${name}-long`;
    const page = await plainPage(name, id, 'video/webm; codecs="vp8,opus"');
    const publisher = await publish(await server(), id);
    await publisher.replay(capture);
    await page.wait(() => {
      const { buffered } = document.querySelector('video');
      return buffered.length === 1 && buffered.end(0) > 74;
    }, 'one range to the end');
    await publisher.end();
    page.clean();
    await page.close();
  });

  test(`a plain page in ${name} plays on over three recordings in one continuous range`, async () => {
    const capture = loadCapture('chrome-vp8-opus.webm');
    const id = `${name}-three`;
    const page = await plainPage(name, id, 'video/webm; codecs="vp8,opus"');
    // The recordings come faster than a page needs to connect.
    const one = await server();
    await one.until(() => one.log.some((line) => line.includes(id) && line.includes('viewer joined')), 'the page to connect');
    for (let round = 0; round < 3; round++) {
      const publisher = await publish(await server(), id);
      await publisher.replay(capture, { to: 50 });
      await publisher.end();
    }
    await page.wait((end) => {
      const { buffered } = document.querySelector('video');
      return buffered.length === 1 && buffered.end(0) > end;
    }, 'one range of three recordings', 3 * (capture.chunks[49].at - 700) / 1000);
    await playsOn(page, { seconds: 2 });
    page.clean();
    await page.close();
  });
}
